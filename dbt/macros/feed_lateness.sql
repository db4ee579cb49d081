{#-
    When a feed is late, and why: said here alone, for the warehouse and for the alerts (caregrid.alerts), which must
    see it every few minutes and cannot wait for a build.

    Late is cadence and tolerance against the newest publication that was accepted: what is served grows old, whatever
    came since. Before the first one is accepted it counts from the first that came, unless one still waits for the gate.
    Publications after the feed's own now do not count.

    files, loads, unreadable: the landed files, the ledger of loads, the files that could not be read.
    feeds: feed, as_of, expected_every, lateness_tolerance.
-#}
{% macro feed_lateness(files, loads, unreadable, feeds) -%}
    with publication as (
        select
            feed.feed,
            feed.as_of,
            feed.expected_every + coalesce(feed.lateness_tolerance, interval '0') as allowed,
            file.file_id,
            file.published_at,
            case
                when bool_or(load.status = 'accepted') then 'accepted'
                when bool_or(load.status = 'staged') then 'waiting'
                when bool_or(load.status = 'refused') then 'refused'
                when bool_or(unreadable.file_id is not null) then 'unreadable'
                else 'waiting'
            end as fate
        from {{ feeds }} as feed
        inner join {{ files }} as file on feed.feed = file.feed and file.published_at <= feed.as_of
        left join {{ loads }} as load on file.file_id = load.file_id
        left join {{ unreadable }} as unreadable on file.file_id = unreadable.file_id
        group by 1, 2, 3, 4, 5
    ),

    newest as (
        select
            feed,
            as_of,
            allowed,
            max(published_at) as last_published_at,
            max(published_at) filter (where fate = 'accepted') as last_accepted_published_at,
            coalesce(
                max(published_at) filter (where fate = 'accepted'),
                case when not bool_or(fate = 'waiting') then min(published_at) end
            ) as counts_from
        from publication
        group by feed, as_of, allowed
    ),

    -- what came after the newest that was accepted; the newest of it first
    later as (
        select
            publication.feed,
            count(*) as files,
            (array_agg(publication.fate order by publication.published_at desc, publication.file_id desc))[1] as fate,
            (array_agg(publication.file_id order by publication.published_at desc, publication.file_id desc))[1]
                as file_id
        from publication
        inner join newest on publication.feed = newest.feed
        where publication.published_at > coalesce(newest.last_accepted_published_at, '-infinity')
        group by publication.feed
    )

    select
        newest.feed,
        newest.last_published_at,
        newest.last_accepted_published_at,
        newest.counts_from,
        coalesce(later.files, 0) as later_files,
        later.file_id as later_file_id,
        newest.counts_from + newest.allowed as due_at,
        newest.as_of > newest.counts_from + newest.allowed as is_late,
        case
            when newest.as_of > newest.counts_from + newest.allowed then coalesce(later.fate, 'nothing_came')
        end as late_because
    from newest
    left join later on newest.feed = later.feed
{%- endmacro %}
