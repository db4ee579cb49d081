{#- Every value that is not null is found in the other relation. -#}
{% test refers_to(model, column, to, field) %}
    select child.{{ column }}, count(*) as row_count
    from {{ model }} as child
    where child.{{ column }} is not null
        and not exists (select 1 from {{ to }} as parent where parent.{{ field }} = child.{{ column }})
    group by child.{{ column }}
{% endtest %}
