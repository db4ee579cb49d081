"""The source attributes that US rules list for predictive decision support interventions."""

from __future__ import annotations

RULE = "45 CFR 170.315(b)(11)(iv)(B), as adopted by ONC's HTI-1 final rule (89 FR 1192, 9 January 2024)"

# Paragraph of the rule: what it wants to be told, in its words.
ATTRIBUTES: dict[str, tuple[str, dict[str, str]]] = {
    "(1)": (
        "Details and output of the intervention",
        {
            "(i)": "Name and contact information for the intervention developer",
            "(ii)": ("Funding source of the technical implementation for the intervention(s) development"),
            "(iii)": "Description of value that the intervention produces as an output",
            "(iv)": (
                "Whether the intervention output is a prediction, classification, recommendation, "
                "evaluation, analysis, or other type of output"
            ),
        },
    ),
    "(2)": (
        "Purpose of the intervention",
        {
            "(i)": "Intended use of the intervention",
            "(ii)": "Intended patient population(s) for the intervention's use",
            "(iii)": "Intended user(s)",
            "(iv)": (
                "Intended decision-making role for which the intervention was designed to be "
                "used/for (e.g., informs, augments, replaces clinical management)"
            ),
        },
    ),
    "(3)": (
        "Cautioned out-of-scope use of the intervention",
        {
            "(i)": (
                "Description of tasks, situations, or populations where a user is cautioned "
                "against applying the intervention"
            ),
            "(ii)": "Known risks, inappropriate settings, inappropriate uses, or known limitations",
        },
    ),
    "(4)": (
        "Intervention development details and input features",
        {
            "(i)": "Exclusion and inclusion criteria that influenced the training data set",
            "(ii)": "Use of variables in paragraph (b)(11)(iv)(A)(5)-(13) as input features",
            "(iii)": (
                "Description of demographic representativeness according to variables in "
                "paragraph (b)(11)(iv)(A)(5)-(13) including, at a minimum, those used as input "
                "features in the intervention"
            ),
            "(iv)": "Description of relevance of training data to intended deployed setting",
        },
    ),
    "(5)": (
        "Process used to ensure fairness in development of the intervention",
        {
            "(i)": (
                "Description of the approach the intervention developer has taken to ensure that "
                "the intervention's output is fair"
            ),
            "(ii)": "Description of approaches to manage, reduce, or eliminate bias",
        },
    ),
    "(6)": (
        "External validation process",
        {
            "(i)": (
                "Description of the data source, clinical setting, or environment where an "
                "intervention's validity and fairness has been assessed, other than the source of "
                "training and testing data"
            ),
            "(ii)": "Party that conducted the external testing",
            "(iii)": (
                "Description of demographic representativeness of external data according to "
                "variables in paragraph (b)(11)(iv)(A)(5)-(13) including, at a minimum, those "
                "used as input features in the intervention"
            ),
            "(iv)": "Description of external validation process",
        },
    ),
    "(7)": (
        "Quantitative measures of performance",
        {
            "(i)": (
                "Validity of intervention in test data derived from the same source as the "
                "initial training data"
            ),
            "(ii)": (
                "Fairness of intervention in test data derived from the same source as the "
                "initial training data"
            ),
            "(iii)": (
                "Validity of intervention in data external to or from a different source than the "
                "initial training data"
            ),
            "(iv)": (
                "Fairness of intervention in data external to or from a different source than the "
                "initial training data"
            ),
            "(v)": (
                "References to evaluation of use of the intervention on outcomes, including, "
                "bibliographic citations or hyperlinks to evaluations of how well the "
                "intervention reduced morbidity, mortality, length of stay, or other outcomes"
            ),
        },
    ),
    "(8)": (
        "Ongoing maintenance of intervention implementation and use",
        {
            "(i)": (
                "Description of process and frequency by which the intervention's validity is "
                "monitored over time"
            ),
            "(ii)": "Validity of intervention in local data",
            "(iii)": (
                "Description of the process and frequency by which the intervention's fairness is "
                "monitored over time"
            ),
            "(iv)": "Fairness of intervention in local data",
        },
    ),
    "(9)": (
        "Update and continued validation or fairness assessment schedule",
        {
            "(i)": "Description of process and frequency by which the intervention is updated",
            "(ii)": (
                "Description of frequency by which the intervention's performance is corrected "
                "when risks related to validity and fairness are identified"
            ),
        },
    ),
}
KEYS = [group + item for group, (_, items) in ATTRIBUTES.items() for item in items]
