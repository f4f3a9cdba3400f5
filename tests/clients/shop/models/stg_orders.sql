{{ config(materialized="view") }}
select cast(id as bigint) as id, customer, cast(amount as double) as amount, cast(day as date) as day from {{ ref("raw_orders") }}
