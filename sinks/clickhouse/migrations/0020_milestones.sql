-- The milestones of each journey in their order, to ask which stage it had reached at a moment:
--
--   ifNull(nullIf(arrayLast(reached -> reached.1 <= occurred_at, milestones).2, ''), 'exploring')
--
-- Only the latest of several equal milestones is known.
CREATE OR REPLACE VIEW {database}.milestones {on_cluster}
(
    journey_id String COMMENT 'The journey',
    milestones Array(Tuple(at DateTime64(3, 'UTC'), status String)) COMMENT 'When it got which status, earliest first'
)
AS
SELECT
    journey_id,
    CAST(arrayMap(reached -> (reached.1, reached.3), arraySort(arrayFilter(reached -> reached.2 > 0, [
        (ifNull(booked_at, toDateTime64(0, 3, 'UTC')), if(booked_at IS NULL, 0, 1), 'booked'),
        (ifNull(cancelled_at, toDateTime64(0, 3, 'UTC')), if(cancelled_at IS NULL, 0, 2), 'cancelled'),
        (ifNull(no_show_at, toDateTime64(0, 3, 'UTC')), if(no_show_at IS NULL, 0, 3), 'no_show'),
        (ifNull(checked_in_at, toDateTime64(0, 3, 'UTC')), if(checked_in_at IS NULL, 0, 4), 'checked_in'),
        (ifNull(arrived_at, toDateTime64(0, 3, 'UTC')), if(arrived_at IS NULL, 0, 5), 'in_stay'),
        (ifNull(checked_out_at, toDateTime64(0, 3, 'UTC')), if(checked_out_at IS NULL, 0, 6), 'completed')
    ]))), 'Array(Tuple(at DateTime64(3, \'UTC\'), status String))') AS milestones
FROM {database}.journeys_store FINAL
COMMENT 'Milestones of each journey, earliest first';
