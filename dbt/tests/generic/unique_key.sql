{#-
    The columns are a key: no two rows share them. (That they are never null is in the contract.) Where a valid unique
    index on just these columns stands, the database has proved it already, and nothing is read.
-#}
{% test unique_key(model, columns) %}
    select {{ columns | join(', ') }}, count(*) as row_count
    from {{ model }}
    where not (
        select exists (
            select 1
            from pg_index as proof
            where
                proof.indrelid = to_regclass('{{ model.schema }}.{{ model.identifier }}')
                and proof.indisunique and proof.indisvalid and proof.indpred is null and proof.indexprs is null
                and (
                    select array_agg(attribute.attname::text order by position.number)
                    from unnest(proof.indkey) with ordinality as position (attnum, number)
                    inner join pg_attribute as attribute
                        on attribute.attrelid = proof.indrelid and attribute.attnum = position.attnum
                ) = array[{% for column in columns %}'{{ column }}'{{ ', ' if not loop.last }}{% endfor %}]
        )
    )
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}
