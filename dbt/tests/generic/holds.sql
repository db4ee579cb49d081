{#- An expression is true of every row (null counts as true only where the expression says so). -#}
{% test holds(model, expression) %}
    select * from {{ model }} where ({{ expression }}) is not true
{% endtest %}
