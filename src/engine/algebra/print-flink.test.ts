// Golden texts of the Flink printer, one of each shape of live SQL, and what it refuses by name. That Flink takes these texts and gives
// the same rows is shown by test/nexmark/ and test/interop/, which run them.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { SYSTEM_FIELDS } from '../../define/system-columns.ts'
import type { Shape, Type } from '../../schema/type.ts'
import { openParser, type SqlParser } from '../ast.ts'
import { openTestEngine, type TestEngine } from '../testing.ts'
import { printFlink, printFlinkStream } from './print-flink.ts'
import { compileLive } from './read-query.ts'

const field = (name: string, type: Type, optional = false) => ({ name, type, optional })
const OWN: Shape = {
  fields: [
    field('seen', { kind: 'timestamp' }),
    field('shop', { kind: 'string' }),
    field('device', { kind: 'string' }, true),
    field('amount', { kind: 'decimal', precision: 12, scale: 2 }),
    field('n', { kind: 'int' }),
    field('ok', { kind: 'boolean' }, true),
    field('heat', { kind: 'double' }, true),
  ],
}
const STORED = { fields: [...OWN.fields, ...SYSTEM_FIELDS], time: 'seen', unique: [] }

const shapeOf = (stream: string) => (stream === 'arriving' ? { ...STORED, time: '_ingested_at' } : STORED)

let engine: TestEngine
let parser: SqlParser

before(async () => {
  engine = await openTestEngine({ threads: 1 })
  parser = await openParser(engine.engine)
})

after(async () => {
  parser.close()
  await engine[Symbol.asyncDispose]()
})

const printed = async (sql: string): Promise<string> => printFlink(compileLive((await parser.parse(sql)).node, shapeOf))

const GOLDEN: readonly (readonly [live: string, flink: string])[] = [
  [
    'SELECT shop, amount * n AS total, upper(device) AS device FROM sales WHERE ok AND amount BETWEEN 1 AND 1000',
    "SELECT `shop` AS `shop`, CAST((`amount` * CAST(`n` AS DECIMAL(10, 0))) AS DECIMAL(18, 2)) AS `total`, UPPER(`device`) AS `device` FROM (SELECT * FROM `sales` WHERE (`ok` AND ((`amount` >= CAST('1.00' AS DECIMAL(12, 2))) AND (`amount` <= CAST('1000.00' AS DECIMAL(12, 2))))))",
  ],
  [
    'SELECT window_start, window_end, shop, count(*) AS c, sum(n) AS sn, sum(amount) AS sa, avg(n) AS an, count(DISTINCT device) AS d, count(*) FILTER (WHERE amount > 100) AS large, bool_and(ok) AS good FROM tumble(sales, seen, INTERVAL 1 MINUTE) WHERE n > 0 GROUP BY ALL HAVING count(*) > 1',
    "SELECT CAST(`window_start` AS TIMESTAMP_LTZ(3)) AS `window_start`, CAST(`window_end` AS TIMESTAMP_LTZ(3)) AS `window_end`, `_k0` AS `shop`, `_a0` AS `c`, `_a1` AS `sn`, `_a2` AS `sa`, `_a3` AS `an`, `_a4` AS `d`, `_a5` AS `large`, `_a6` AS `good` FROM (SELECT * FROM (SELECT `window_start`, `window_end`, `shop` AS `_k0`, COUNT(*) AS `_a0`, SUM(CAST(`n` AS BIGINT)) AS `_a1`, SUM(`amount`) AS `_a2`, AVG(CAST(`n` AS DOUBLE)) AS `_a3`, COUNT(DISTINCT `device`) AS `_a4`, COUNT(*) FILTER (WHERE (`amount` > CAST('100.00' AS DECIMAL(12, 2)))) AS `_a5`, (MIN(CASE WHEN `ok` THEN 1 WHEN NOT `ok` THEN 0 END) = 1) AS `_a6` FROM (SELECT * FROM TABLE(TUMBLE(TABLE `sales`, DESCRIPTOR(`seen`), INTERVAL '1' MINUTE)) WHERE (`n` > 0)) GROUP BY `window_start`, `window_end`, `shop`) WHERE (`_a0` > CAST(1 AS BIGINT)))",
  ],
  [
    "SELECT window_end, max(heat) AS heat FROM hop(sales, seen, INTERVAL '500 milliseconds', INTERVAL 2 HOUR) GROUP BY ALL",
    "SELECT CAST(`window_end` AS TIMESTAMP_LTZ(3)) AS `window_end`, `_a0` AS `heat` FROM (SELECT `window_start`, `window_end`, MAX(`heat`) AS `_a0` FROM TABLE(HOP(TABLE `sales`, DESCRIPTOR(`seen`), INTERVAL '0.5' SECOND, INTERVAL '2' HOUR)) GROUP BY `window_start`, `window_end`)",
  ],
  [
    'SELECT device, window_start, window_end, count(*) AS c FROM session(sales, seen, INTERVAL 30 MINUTE, key := device) WHERE device IS NOT NULL GROUP BY ALL',
    "SELECT `_k0` AS `device`, CAST(`window_start` AS TIMESTAMP_LTZ(3)) AS `window_start`, CAST(`window_end` + INTERVAL '0.001' SECOND AS TIMESTAMP_LTZ(3)) AS `window_end`, `_a0` AS `c` FROM (SELECT `window_start`, `window_end`, `device` AS `_k0`, COUNT(*) AS `_a0` FROM TABLE(SESSION((SELECT * FROM `sales` WHERE (`device` IS NOT NULL)) PARTITION BY `device`, DESCRIPTOR(`seen`), INTERVAL '1799.999' SECOND(4))) GROUP BY `window_start`, `window_end`, `device`)",
  ],
  [
    'SELECT window_start, shop, count(*) AS c FROM tumble(sales, seen, INTERVAL 1 MINUTE) GROUP BY window_start, shop QUALIFY rank() OVER (PARTITION BY window_start ORDER BY count(*) DESC) = 1',
    "SELECT CAST(`window_start` AS TIMESTAMP_LTZ(3)) AS `window_start`, `_k0` AS `shop`, `_a0` AS `c` FROM (SELECT l.* FROM (SELECT *, `_a0` AS `_value`, CAST(1 AS BIGINT) AS `_rank` FROM (SELECT `window_start`, `window_end`, `shop` AS `_k0`, COUNT(*) AS `_a0` FROM TABLE(TUMBLE(TABLE `sales`, DESCRIPTOR(`seen`), INTERVAL '1' MINUTE)) GROUP BY `window_start`, `window_end`, `shop`)) AS l JOIN (SELECT `window_start`, `window_end`, MAX(`_a0`) AS `_extreme` FROM (SELECT `window_start`, `window_end`, `shop` AS `_k0`, COUNT(*) AS `_a0` FROM TABLE(TUMBLE(TABLE `sales`, DESCRIPTOR(`seen`), INTERVAL '1' MINUTE)) GROUP BY `window_start`, `window_end`, `shop`) GROUP BY `window_start`, `window_end`) AS r ON l.`window_start` = r.`window_start` AND l.`window_end` = r.`window_end` AND l.`_value` = r.`_extreme`)",
  ],
  [
    'SELECT window_start, shop, device, amount FROM tumble(sales, seen, INTERVAL 1 MINUTE) QUALIFY row_number() OVER (PARTITION BY window_start, shop ORDER BY amount DESC, n) <= 3',
    "SELECT CAST(`window_start` AS TIMESTAMP_LTZ(3)) AS `window_start`, `shop` AS `shop`, `device` AS `device`, `amount` AS `amount` FROM (SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY `window_start`, `window_end`, `shop` ORDER BY `amount` DESC, `n` ASC) AS `_rank` FROM TABLE(TUMBLE(TABLE `sales`, DESCRIPTOR(`seen`), INTERVAL '1' MINUTE))) WHERE `_rank` <= 3)",
  ],
  [
    'SELECT shop, CAST(seen AS DATE) AS day, count(*) AS sales FROM sales GROUP BY ALL',
    'SELECT `_k0` AS `shop`, `_k1` AS `day`, `_a0` AS `sales` FROM (SELECT `shop` AS `_k0`, CAST(`seen` AS DATE) AS `_k1`, COUNT(*) AS `_a0` FROM `sales` GROUP BY `shop`, CAST(`seen` AS DATE))',
  ],
  [
    'SELECT c, count(*) AS often FROM (SELECT shop, count(*) AS c FROM sales GROUP BY shop HAVING count(*) > 3) WHERE c < 9 GROUP BY c',
    'SELECT `_k0` AS `c`, `_a0` AS `often` FROM (SELECT `c` AS `_k0`, COUNT(*) AS `_a0` FROM (SELECT * FROM (SELECT `_k0` AS `shop`, `_a0` AS `c` FROM (SELECT * FROM (SELECT `shop` AS `_k0`, COUNT(*) AS `_a0` FROM `sales` GROUP BY `shop`) WHERE (`_a0` > CAST(3 AS BIGINT)))) WHERE (`c` < CAST(9 AS BIGINT))) GROUP BY `c`)',
  ],
  [
    'SELECT shop, device, sum(n) AS s, row_number() OVER (ORDER BY sum(n) DESC) AS place FROM sales GROUP BY shop, device QUALIFY row_number() OVER (ORDER BY sum(n) DESC) <= 10',
    'SELECT `_k0` AS `shop`, `_k1` AS `device`, `_in2` AS `s`, `_rank` AS `place` FROM (SELECT * FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY `_in2` DESC NULLS LAST, `_k0` ASC, `_k1` ASC NULLS LAST) AS `_rank` FROM (SELECT `_k0` AS `_k0`, `_k1` AS `_k1`, `_a0` AS `_in2` FROM (SELECT `shop` AS `_k0`, `device` AS `_k1`, SUM(CAST(`n` AS BIGINT)) AS `_a0` FROM `sales` GROUP BY `shop`, `device`))) WHERE `_rank` <= 10)',
  ],
  [
    'SELECT device, shop, c FROM (SELECT device, shop, count(*) AS c FROM sales GROUP BY ALL) WHERE c > 1 QUALIFY row_number() OVER (PARTITION BY device ORDER BY c) = 1',
    'SELECT `device` AS `device`, `shop` AS `shop`, `_in2` AS `c` FROM (SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY `device` ORDER BY `_in2` ASC, `shop` ASC) AS `_rank` FROM (SELECT `device` AS `device`, `shop` AS `shop`, `c` AS `_in2` FROM (SELECT * FROM (SELECT `_k0` AS `device`, `_k1` AS `shop`, `_a0` AS `c` FROM (SELECT `device` AS `_k0`, `shop` AS `_k1`, COUNT(*) AS `_a0` FROM `sales` GROUP BY `device`, `shop`)) WHERE (`c` > CAST(1 AS BIGINT))))) WHERE `_rank` <= 1)',
  ],
  [
    "SELECT DISTINCT shop, coalesce(device, 'none') AS device FROM sales",

    "SELECT `_k0` AS `shop`, `_k1` AS `device` FROM (SELECT `shop` AS `_k0`, COALESCE(`device`, 'none') AS `_k1` FROM `sales` GROUP BY `shop`, COALESCE(`device`, 'none'))",
  ],
  [
    'SELECT shop, amount, seen FROM sales QUALIFY row_number() OVER (PARTITION BY shop ORDER BY seen DESC) = 1',
    'SELECT `shop` AS `shop`, `amount` AS `amount`, `seen` AS `seen` FROM (SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY `shop` ORDER BY `seen` DESC) AS `_rank` FROM `sales`) WHERE `_rank` <= 1)',
  ],
  [
    'SELECT shop, row_number() OVER (PARTITION BY shop ORDER BY heat DESC NULLS LAST) AS place, device FROM sales QUALIFY row_number() OVER (PARTITION BY shop ORDER BY heat DESC NULLS LAST) <= 10',
    'SELECT `shop` AS `shop`, `_rank` AS `place`, `device` AS `device` FROM (SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY `shop` ORDER BY `heat` DESC NULLS LAST) AS `_rank` FROM `sales`) WHERE `_rank` <= 10)',
  ],
  [
    'SELECT shop, window_start, count(*) AS c FROM tumble(arriving, _ingested_at, INTERVAL 10 SECOND) GROUP BY ALL',
    "SELECT `_k0` AS `shop`, CAST(`window_start` AS TIMESTAMP_LTZ(3)) AS `window_start`, `_a0` AS `c` FROM (SELECT `window_start`, `window_end`, `shop` AS `_k0`, COUNT(*) AS `_a0` FROM TABLE(TUMBLE(TABLE `arriving`, DESCRIPTOR(`_ingested_at`), INTERVAL '10' SECOND)) GROUP BY `window_start`, `window_end`, `shop`)",
  ],
  [
    'SELECT shop, seen, sum(n) OVER w AS spent, count(*) FILTER (WHERE NOT ok) OVER w AS failed, stddev(amount) OVER w AS spread FROM sales WHERE n > 0 WINDOW w AS (PARTITION BY shop ORDER BY seen RANGE BETWEEN INTERVAL 10 MINUTE PRECEDING AND CURRENT ROW)',
    "SELECT `shop` AS `shop`, `seen` AS `seen`, `_frame0` AS `spent`, `_frame1` AS `failed`, `_frame2` AS `spread` FROM (SELECT *, SUM(CAST(`n` AS BIGINT)) OVER (PARTITION BY `shop` ORDER BY `seen` RANGE BETWEEN INTERVAL '10' MINUTE PRECEDING AND CURRENT ROW) AS `_frame0`, COUNT(CASE WHEN (NOT `ok`) THEN 1 ELSE CAST(NULL AS INT) END) OVER (PARTITION BY `shop` ORDER BY `seen` RANGE BETWEEN INTERVAL '10' MINUTE PRECEDING AND CURRENT ROW) AS `_frame1`, STDDEV_SAMP(CAST(`amount` AS DOUBLE)) OVER (PARTITION BY `shop` ORDER BY `seen` RANGE BETWEEN INTERVAL '10' MINUTE PRECEDING AND CURRENT ROW) AS `_frame2` FROM (SELECT * FROM `sales` WHERE (`n` > 0)))",
  ],
  [
    'SELECT seen, count(device) OVER (ORDER BY seen) AS devices FROM sales',
    'SELECT `seen` AS `seen`, `_frame0` AS `devices` FROM (SELECT *, COUNT(`device`) OVER (ORDER BY `seen` RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS `_frame0` FROM `sales`)',
  ],
  [
    'SELECT seen, bool_or(ok) OVER (PARTITION BY shop ORDER BY seen ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) AS good FROM sales',
    'SELECT `seen` AS `seen`, `_frame0` AS `good` FROM (SELECT *, (MAX(CASE WHEN `ok` THEN 1 WHEN NOT `ok` THEN 0 END) OVER (PARTITION BY `shop` ORDER BY `seen` ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) = 1) AS `_frame0` FROM `sales`)',
  ],
  [
    'SELECT n, heat - lag(heat) OVER (PARTITION BY shop ORDER BY seen) AS more, lag(device) OVER (PARTITION BY shop ORDER BY seen) AS device FROM sales',
    'SELECT `n` AS `n`, (`heat` - `_lag0`) AS `more`, `_lag1` AS `device` FROM (SELECT *, CASE WHEN COUNT(*) OVER (PARTITION BY `shop` ORDER BY `seen` ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) > 1 THEN (ARRAY_AGG(`heat`) OVER (PARTITION BY `shop` ORDER BY `seen` ROWS BETWEEN 1 PRECEDING AND CURRENT ROW))[1] END AS `_lag0`, CASE WHEN COUNT(*) OVER (PARTITION BY `shop` ORDER BY `seen` ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) > 1 THEN (ARRAY_AGG(`device`) OVER (PARTITION BY `shop` ORDER BY `seen` ROWS BETWEEN 1 PRECEDING AND CURRENT ROW))[1] END AS `_lag1` FROM `sales`)',
  ],
  [
    'SELECT window_start, variance(n) AS v, var_pop(heat) AS p, stddev_pop(amount) AS s, sum(DISTINCT n) AS d, avg(DISTINCT amount) FILTER (WHERE ok) AS m FROM tumble(sales, seen, INTERVAL 1 MINUTE) GROUP BY ALL',
    "SELECT CAST(`window_start` AS TIMESTAMP_LTZ(3)) AS `window_start`, `_a0` AS `v`, `_a1` AS `p`, `_a2` AS `s`, `_a3` AS `d`, `_a4` AS `m` FROM (SELECT `window_start`, `window_end`, VAR_SAMP(CAST(`n` AS DOUBLE)) AS `_a0`, VAR_POP(`heat`) AS `_a1`, STDDEV_POP(CAST(`amount` AS DOUBLE)) AS `_a2`, SUM(DISTINCT CAST(`n` AS BIGINT)) AS `_a3`, AVG(DISTINCT CAST(`amount` AS DOUBLE)) FILTER (WHERE `ok`) AS `_a4` FROM TABLE(TUMBLE(TABLE `sales`, DESCRIPTOR(`seen`), INTERVAL '1' MINUTE)) GROUP BY `window_start`, `window_end`)",
  ],
  [
    'SELECT window_start, n FROM tumble(sales, seen, INTERVAL 1 HOUR)',
    'SELECT CAST(FLOOR(CAST(`seen` AS TIMESTAMP(6)) TO HOUR) AS TIMESTAMP_LTZ(6)) AS `window_start`, `n` AS `n` FROM `sales`',
  ],
  [
    "WITH every AS (SELECT seen, shop, 'a' AS kind FROM sales UNION ALL SELECT seen, device, 'other' FROM sales) SELECT window_start, kind, count(shop) AS c FROM hop(every, seen, INTERVAL 1 MINUTE, INTERVAL 2 MINUTE) GROUP BY ALL",
    "SELECT CAST(`window_start` AS TIMESTAMP_LTZ(3)) AS `window_start`, `_k0` AS `kind`, `_a0` AS `c` FROM (SELECT `window_start`, `window_end`, `kind` AS `_k0`, COUNT(`shop`) AS `_a0` FROM TABLE(HOP((SELECT `seen`, TRY_CAST(`shop` AS STRING) AS `shop`, TRY_CAST(`kind` AS STRING) AS `kind` FROM (SELECT `seen` AS `seen`, `shop` AS `shop`, `kind` AS `kind` FROM ((SELECT `seen` AS `seen`, `shop` AS `shop`, `kind` AS `kind` FROM (SELECT `seen` AS `seen`, `shop` AS `shop`, 'a' AS `kind` FROM `sales`)) UNION ALL (SELECT `seen` AS `seen`, `device` AS `shop`, `_3` AS `kind` FROM (SELECT `seen` AS `seen`, `device` AS `device`, 'other' AS `_3` FROM `sales`))))), DESCRIPTOR(`seen`), INTERVAL '1' MINUTE, INTERVAL '2' MINUTE)) GROUP BY `window_start`, `window_end`, `kind`)",
  ],
  [
    'WITH large AS (SELECT seen AS placed, shop, n + 1 AS n FROM sales WHERE amount > 100) SELECT shop, window_start, window_end, sum(n) AS n FROM session(large, placed, INTERVAL 1 MINUTE, key := shop) GROUP BY ALL',
    "SELECT `_k0` AS `shop`, CAST(`window_start` AS TIMESTAMP_LTZ(3)) AS `window_start`, CAST(`window_end` + INTERVAL '0.001' SECOND AS TIMESTAMP_LTZ(3)) AS `window_end`, `_a0` AS `n` FROM (SELECT `window_start`, `window_end`, `shop` AS `_k0`, SUM(CAST(`n` AS BIGINT)) AS `_a0` FROM TABLE(SESSION((SELECT `seen` AS `placed`, `shop` AS `shop`, (`n` + 1) AS `n` FROM (SELECT * FROM `sales` WHERE (`amount` > CAST('100.00' AS DECIMAL(12, 2))))) PARTITION BY `shop`, DESCRIPTOR(`placed`), INTERVAL '59.999' SECOND)) GROUP BY `window_start`, `window_end`, `shop`)",
  ],
  [
    'WITH w AS (SELECT window_start, window_end, shop, count(*) AS c FROM tumble(sales, seen, INTERVAL 1 MINUTE) GROUP BY ALL) SELECT window_start, window_end, shop, max(c) AS most FROM tumble(w, window_end, INTERVAL 1 HOUR) GROUP BY ALL',
    "SELECT CAST(`window_start` AS TIMESTAMP_LTZ(3)) AS `window_start`, CAST(`window_end` AS TIMESTAMP_LTZ(3)) AS `window_end`, `_k0` AS `shop`, `_a0` AS `most` FROM (SELECT `window_start`, `window_end`, `shop` AS `_k0`, MAX(`c`) AS `_a0` FROM TABLE(TUMBLE((SELECT `_window_start`, `_window_end`, `shop`, `c`, `window_time` AS `_moved` FROM TABLE(HOP((SELECT CAST(`window_start` AS TIMESTAMP_LTZ(3)) AS `_window_start`, CAST(`window_end` AS TIMESTAMP_LTZ(3)) AS `_window_end`, `shop`, `c`, `window_time` AS `_time`, CAST(`window_time` AS TIMESTAMP(3)) AS `_begins` FROM (SELECT `window_start` AS `window_start`, `window_end` AS `window_end`, `_k0` AS `shop`, `_a0` AS `c`, `window_time` FROM (SELECT `window_start`, `window_end`, `window_time`, `shop` AS `_k0`, COUNT(*) AS `_a0` FROM TABLE(TUMBLE(TABLE `sales`, DESCRIPTOR(`seen`), INTERVAL '1' MINUTE)) GROUP BY `window_start`, `window_end`, `window_time`, `shop`))), DESCRIPTOR(`_time`), INTERVAL '0.001' SECOND, INTERVAL '0.002' SECOND)) WHERE `window_start` = `_begins`), DESCRIPTOR(`_moved`), INTERVAL '1' HOUR)) GROUP BY `window_start`, `window_end`, `shop`)",
  ],
  [
    'WITH w AS (SELECT window_start AS starts, shop, count(*) AS c FROM tumble(sales, seen, INTERVAL 1 MINUTE) GROUP BY ALL) SELECT window_end, max(c) AS most FROM hop(w, starts, INTERVAL 5 MINUTE, INTERVAL 1 HOUR) WHERE c > 1 GROUP BY ALL',
    "SELECT CAST(`window_end` AS TIMESTAMP_LTZ(3)) AS `window_end`, `_a0` AS `most` FROM (SELECT `window_start`, `window_end`, MAX(`c`) AS `_a0` FROM TABLE(HOP((SELECT `starts`, `shop`, `c`, `window_time` AS `_time` FROM (SELECT * FROM (SELECT `window_start` AS `starts`, `_k0` AS `shop`, `_a0` AS `c`, `window_time` FROM (SELECT `window_start`, `window_end`, `window_time`, `shop` AS `_k0`, COUNT(*) AS `_a0` FROM TABLE(TUMBLE(TABLE `sales`, DESCRIPTOR(`seen`), INTERVAL '1' MINUTE)) GROUP BY `window_start`, `window_end`, `window_time`, `shop`)) WHERE (`c` > CAST(1 AS BIGINT)))), DESCRIPTOR(`_time`), INTERVAL '5' MINUTE, INTERVAL '1' HOUR)) GROUP BY `window_start`, `window_end`)",
  ],
  [
    'WITH w AS (SELECT window_start AS starts, shop, count(*) AS c FROM hop(sales, seen, INTERVAL 1 MINUTE, INTERVAL 10 MINUTE) GROUP BY ALL) SELECT window_end, max(c) AS most FROM tumble(w, starts, INTERVAL 5 MINUTE) GROUP BY ALL',
    "SELECT CAST(`window_end` + INTERVAL -'10' MINUTE AS TIMESTAMP_LTZ(3)) AS `window_end`, `_a0` AS `most` FROM (SELECT `window_start`, `window_end`, MAX(`c`) AS `_a0` FROM TABLE(TUMBLE((SELECT `starts`, `shop`, `c`, `window_time` AS `_moved` FROM TABLE(HOP((SELECT `starts`, `shop`, `c`, `window_time` AS `_time`, CAST(`window_time` AS TIMESTAMP(3)) AS `_begins` FROM (SELECT `window_start` AS `starts`, `_k0` AS `shop`, `_a0` AS `c`, `window_time` FROM (SELECT `window_start`, `window_end`, `window_time`, `shop` AS `_k0`, COUNT(*) AS `_a0` FROM TABLE(HOP(TABLE `sales`, DESCRIPTOR(`seen`), INTERVAL '1' MINUTE, INTERVAL '10' MINUTE)) GROUP BY `window_start`, `window_end`, `window_time`, `shop`))), DESCRIPTOR(`_time`), INTERVAL '0.001' SECOND, INTERVAL '0.002' SECOND)) WHERE `window_start` = `_begins`), DESCRIPTOR(`_moved`), INTERVAL '5' MINUTE)) GROUP BY `window_start`, `window_end`)",
  ],
  [
    'SELECT window_start, max(c) AS m FROM (SELECT window_start, shop, count(*) AS c FROM tumble(sales, seen, INTERVAL 1 MINUTE) GROUP BY ALL) GROUP BY window_start',
    "SELECT CAST(`window_start` + INTERVAL -'59.999' SECOND AS TIMESTAMP_LTZ(3)) AS `window_start`, `_a0` AS `m` FROM (SELECT `window_start`, `window_end`, MAX(`c`) AS `_a0` FROM TABLE(TUMBLE((SELECT CAST(`window_start` AS TIMESTAMP_LTZ(3)) AS `_window_start`, `shop`, `c`, `window_time` AS `_time` FROM (SELECT `window_start` AS `window_start`, `_k0` AS `shop`, `_a0` AS `c`, `window_time` FROM (SELECT `window_start`, `window_end`, `window_time`, `shop` AS `_k0`, COUNT(*) AS `_a0` FROM TABLE(TUMBLE(TABLE `sales`, DESCRIPTOR(`seen`), INTERVAL '1' MINUTE)) GROUP BY `window_start`, `window_end`, `window_time`, `shop`))), DESCRIPTOR(`_time`), INTERVAL '0.001' SECOND)) GROUP BY `window_start`, `window_end`)",
  ],
  [
    'SELECT ends, count(*) AS c FROM (SELECT window_end AS ends, shop FROM session(sales, seen, INTERVAL 1 MINUTE, key := shop) GROUP BY window_start, window_end, shop) GROUP BY ends',
    "SELECT CAST(`window_start` + INTERVAL '0.002' SECOND AS TIMESTAMP_LTZ(3)) AS `ends`, `_a0` AS `c` FROM (SELECT `window_start`, `window_end`, COUNT(*) AS `_a0` FROM TABLE(TUMBLE((SELECT `ends`, `shop`, `window_time` AS `_time` FROM (SELECT `window_end` AS `ends`, `_k0` AS `shop`, `window_time` FROM (SELECT `window_start`, `window_end`, `window_time`, `shop` AS `_k0` FROM TABLE(SESSION(TABLE `sales` PARTITION BY `shop`, DESCRIPTOR(`seen`), INTERVAL '59.999' SECOND)) GROUP BY `window_start`, `window_end`, `window_time`, `shop`))), DESCRIPTOR(`_time`), INTERVAL '0.001' SECOND)) GROUP BY `window_start`, `window_end`)",
  ],
  [
    'SELECT window_start, sum(c) OVER (ORDER BY window_start) AS s FROM (SELECT window_start, count(*) AS c FROM tumble(sales, seen, INTERVAL 1 MINUTE) GROUP BY ALL)',
    "SELECT CAST(`window_start` AS TIMESTAMP_LTZ(3)) AS `window_start`, `_frame0` AS `s` FROM (SELECT *, SUM(`c`) OVER (ORDER BY `window_time` RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS `_frame0` FROM (SELECT `window_start` AS `window_start`, `_a0` AS `c`, `window_time` FROM (SELECT `window_start`, `window_end`, `window_time`, COUNT(*) AS `_a0` FROM TABLE(TUMBLE(TABLE `sales`, DESCRIPTOR(`seen`), INTERVAL '1' MINUTE)) GROUP BY `window_start`, `window_end`, `window_time`)))",
  ],
  [
    'SELECT window_start, lag(c) OVER (ORDER BY window_start) AS s FROM (SELECT window_start, count(*) AS c FROM tumble(sales, seen, INTERVAL 1 MINUTE) GROUP BY ALL)',
    "SELECT CAST(`window_start` AS TIMESTAMP_LTZ(3)) AS `window_start`, `_lag0` AS `s` FROM (SELECT *, CASE WHEN COUNT(*) OVER (ORDER BY `window_time` ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) > 1 THEN (ARRAY_AGG(`c`) OVER (ORDER BY `window_time` ROWS BETWEEN 1 PRECEDING AND CURRENT ROW))[1] END AS `_lag0` FROM (SELECT `window_start` AS `window_start`, `_a0` AS `c`, `window_time` FROM (SELECT `window_start`, `window_end`, `window_time`, COUNT(*) AS `_a0` FROM TABLE(TUMBLE(TABLE `sales`, DESCRIPTOR(`seen`), INTERVAL '1' MINUTE)) GROUP BY `window_start`, `window_end`, `window_time`)))",
  ],
  [
    'SELECT n, sum(n) OVER (PARTITION BY shop ORDER BY seen) AS s, sum(n) OVER (ORDER BY seen) AS t FROM sales',
    'SELECT `n` AS `n`, `_frame0` AS `s`, `_frame1` AS `t` FROM (SELECT *, SUM(CAST(`n` AS BIGINT)) OVER (ORDER BY `seen` RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS `_frame1` FROM (SELECT *, TRUE AS `_frame1below` FROM (SELECT *, SUM(CAST(`n` AS BIGINT)) OVER (PARTITION BY `shop` ORDER BY `seen` RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS `_frame0` FROM `sales`)))',
  ],
  [
    'SELECT window_start, window_end, shop, c FROM (SELECT window_start, window_end, shop, count(*) AS c FROM tumble(sales, seen, INTERVAL 1 MINUTE) GROUP BY ALL) QUALIFY row_number() OVER (PARTITION BY window_start ORDER BY c DESC) <= 3',
    "SELECT CAST(`window_start` AS TIMESTAMP_LTZ(3)) AS `window_start`, CAST(`window_end` AS TIMESTAMP_LTZ(3)) AS `window_end`, `shop` AS `shop`, `c` AS `c` FROM (SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY `window_start`, `window_end` ORDER BY `c` DESC) AS `_rank` FROM (SELECT `window_start` AS `window_start`, `window_end` AS `window_end`, `_k0` AS `shop`, `_a0` AS `c` FROM (SELECT `window_start`, `window_end`, `shop` AS `_k0`, COUNT(*) AS `_a0` FROM TABLE(TUMBLE(TABLE `sales`, DESCRIPTOR(`seen`), INTERVAL '1' MINUTE)) GROUP BY `window_start`, `window_end`, `shop`))) WHERE `_rank` <= 3)",
  ],
  [
    'SELECT a.n, b.n AS m FROM sales a ASOF JOIN sales b ON a.shop = b.shop AND a.seen >= b.seen',
    'SELECT `a.n` AS `n`, `b.n` AS `m` FROM (SELECT `_time` AS `a.seen`, `a.shop`, `a.n`, `b.seen`, `b.shop`, `b.n` FROM (SELECT `_time`, `_is_right`, `a.seen`, `a.shop`, `a.n`, COUNT(CASE WHEN `_is_right` THEN 1 END) OVER (PARTITION BY `_key0` ORDER BY `_time` RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS `_found`, CAST(LAST_VALUE(CAST(`b.seen` AS STRING)) OVER (PARTITION BY `_key0` ORDER BY `_time` RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS TIMESTAMP_LTZ(6)) AS `b.seen`, LAST_VALUE(`b.shop`) OVER (PARTITION BY `_key0` ORDER BY `_time` RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS `b.shop`, LAST_VALUE(`b.n`) OVER (PARTITION BY `_key0` ORDER BY `_time` RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS `b.n` FROM ((SELECT `a.seen` AS `_time`, FALSE AS `_is_right`, `a.shop` AS `_key0`, CAST(`a.seen` AS TIMESTAMP_LTZ(6)) AS `a.seen`, CAST(`a.shop` AS STRING) AS `a.shop`, CAST(`a.n` AS INT) AS `a.n`, CAST(NULL AS TIMESTAMP_LTZ(6)) AS `b.seen`, CAST(NULL AS STRING) AS `b.shop`, CAST(NULL AS INT) AS `b.n` FROM (SELECT `seen` AS `a.seen`, `shop` AS `a.shop`, `n` AS `a.n` FROM `sales`)) UNION ALL (SELECT `b.seen` AS `_time`, TRUE AS `_is_right`, `b.shop` AS `_key0`, CAST(NULL AS TIMESTAMP_LTZ(6)) AS `a.seen`, CAST(NULL AS STRING) AS `a.shop`, CAST(NULL AS INT) AS `a.n`, CAST(`b.seen` AS TIMESTAMP_LTZ(6)) AS `b.seen`, CAST(`b.shop` AS STRING) AS `b.shop`, CAST(`b.n` AS INT) AS `b.n` FROM (SELECT `seen` AS `b.seen`, `shop` AS `b.shop`, `n` AS `b.n` FROM `sales`)))) WHERE NOT `_is_right` AND `_found` > 0)',
  ],
  [
    'SELECT a.seen, a.n, b.heat, b.seen AS last FROM sales a ASOF LEFT JOIN (SELECT seen, device, heat FROM sales WHERE ok) b ON a.shop = b.device AND a.seen >= b.seen',
    'SELECT `a.seen` AS `seen`, `a.n` AS `n`, `b.heat` AS `heat`, `b.seen` AS `last` FROM (SELECT `_time` AS `a.seen`, `a.shop`, `a.device`, `a.n`, `a.ok`, `a.heat`, `b.seen`, `b.device`, `b.heat` FROM (SELECT `_time`, `_is_right`, `a.seen`, `a.shop`, `a.device`, `a.n`, `a.ok`, `a.heat`, COUNT(CASE WHEN `_is_right` THEN 1 END) OVER (PARTITION BY `_key0` ORDER BY `_time` RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS `_found`, CAST(LAST_VALUE(CAST(`b.seen` AS STRING)) OVER (PARTITION BY `_key0` ORDER BY `_time` RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS TIMESTAMP_LTZ(6)) AS `b.seen`, CASE WHEN LAST_VALUE(CASE WHEN `_is_right` THEN `b.device` IS NULL END) OVER (PARTITION BY `_key0` ORDER BY `_time` RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) THEN NULL ELSE LAST_VALUE(`b.device`) OVER (PARTITION BY `_key0` ORDER BY `_time` RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) END AS `b.device`, CASE WHEN LAST_VALUE(CASE WHEN `_is_right` THEN `b.heat` IS NULL END) OVER (PARTITION BY `_key0` ORDER BY `_time` RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) THEN NULL ELSE LAST_VALUE(`b.heat`) OVER (PARTITION BY `_key0` ORDER BY `_time` RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) END AS `b.heat` FROM ((SELECT `a.seen` AS `_time`, FALSE AS `_is_right`, `a.shop` AS `_key0`, CAST(`a.seen` AS TIMESTAMP_LTZ(6)) AS `a.seen`, CAST(`a.shop` AS STRING) AS `a.shop`, CAST(`a.device` AS STRING) AS `a.device`, CAST(`a.n` AS INT) AS `a.n`, CAST(`a.ok` AS BOOLEAN) AS `a.ok`, CAST(`a.heat` AS DOUBLE) AS `a.heat`, CAST(NULL AS TIMESTAMP_LTZ(6)) AS `b.seen`, CAST(NULL AS STRING) AS `b.device`, CAST(NULL AS DOUBLE) AS `b.heat` FROM (SELECT `seen` AS `a.seen`, `shop` AS `a.shop`, `device` AS `a.device`, `n` AS `a.n`, `ok` AS `a.ok`, `heat` AS `a.heat` FROM `sales`)) UNION ALL (SELECT `b.seen` AS `_time`, TRUE AS `_is_right`, `b.device` AS `_key0`, CAST(NULL AS TIMESTAMP_LTZ(6)) AS `a.seen`, CAST(NULL AS STRING) AS `a.shop`, CAST(NULL AS STRING) AS `a.device`, CAST(NULL AS INT) AS `a.n`, CAST(NULL AS BOOLEAN) AS `a.ok`, CAST(NULL AS DOUBLE) AS `a.heat`, CAST(`b.seen` AS TIMESTAMP_LTZ(6)) AS `b.seen`, CAST(`b.device` AS STRING) AS `b.device`, CAST(`b.heat` AS DOUBLE) AS `b.heat` FROM (SELECT `seen` AS `b.seen`, `device` AS `b.device`, `heat` AS `b.heat` FROM (SELECT `seen` AS `seen`, `device` AS `device`, `heat` AS `heat` FROM (SELECT * FROM `sales` WHERE `ok`))) WHERE `b.device` IS NOT NULL))) WHERE NOT `_is_right`)',
  ],
  [
    'SELECT a.ends, b.n FROM (SELECT window_end AS ends, shop FROM tumble(sales, seen, INTERVAL 1 MINUTE) GROUP BY ALL) a ASOF JOIN sales b ON a.shop = b.shop AND a.ends > b.seen',
    "SELECT `a.ends` AS `ends`, `b.n` AS `n` FROM (SELECT `a.ends`, `a.shop`, `b.seen`, `b.shop`, `b.n` FROM (SELECT `_time`, `_is_right`, `a.ends`, `a.shop`, COUNT(CASE WHEN `_is_right` THEN 1 END) OVER (PARTITION BY `_key0` ORDER BY `_time` RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS `_found`, CAST(LAST_VALUE(CAST(`b.seen` AS STRING)) OVER (PARTITION BY `_key0` ORDER BY `_time` RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS TIMESTAMP_LTZ(6)) AS `b.seen`, LAST_VALUE(`b.shop`) OVER (PARTITION BY `_key0` ORDER BY `_time` RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS `b.shop`, LAST_VALUE(`b.n`) OVER (PARTITION BY `_key0` ORDER BY `_time` RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS `b.n` FROM ((SELECT `window_time` AS `_time`, FALSE AS `_is_right`, `a.shop` AS `_key0`, CAST(CAST(`a.ends` AS TIMESTAMP_LTZ(3)) AS TIMESTAMP_LTZ(6)) AS `a.ends`, CAST(`a.shop` AS STRING) AS `a.shop`, CAST(NULL AS TIMESTAMP_LTZ(6)) AS `b.seen`, CAST(NULL AS STRING) AS `b.shop`, CAST(NULL AS INT) AS `b.n` FROM (SELECT `ends` AS `a.ends`, `shop` AS `a.shop`, `window_time` FROM (SELECT `window_end` AS `ends`, `_k0` AS `shop`, `window_time` FROM (SELECT `window_start`, `window_end`, `window_time`, `shop` AS `_k0` FROM TABLE(TUMBLE(TABLE `sales`, DESCRIPTOR(`seen`), INTERVAL '1' MINUTE)) GROUP BY `window_start`, `window_end`, `window_time`, `shop`)))) UNION ALL (SELECT `b.seen` AS `_time`, TRUE AS `_is_right`, `b.shop` AS `_key0`, CAST(NULL AS TIMESTAMP_LTZ(6)) AS `a.ends`, CAST(NULL AS STRING) AS `a.shop`, CAST(`b.seen` AS TIMESTAMP_LTZ(6)) AS `b.seen`, CAST(`b.shop` AS STRING) AS `b.shop`, CAST(`b.n` AS INT) AS `b.n` FROM (SELECT `seen` AS `b.seen`, `shop` AS `b.shop`, `n` AS `b.n` FROM `sales`)))) WHERE NOT `_is_right` AND `_found` > 0)",
  ],
  [
    "SELECT regexp_replace(device, '[a-b]+', 'x') AS a, regexp_replace(shop, 'a|b', '$1', 'g') AS b FROM sales",
    "SELECT CASE WHEN REGEXP(`device`, '[a-b]+') THEN CONCAT(REGEXP_EXTRACT(`device`, '\\A((?s:.*?))(?:[a-b]+)', 1), 'x', REGEXP_REPLACE(`device`, '\\A(?s:.*?)(?:[a-b]+)', '')) ELSE `device` END AS `a`, REGEXP_REPLACE(`shop`, 'a|b', '$1') AS `b` FROM `sales`",
  ],
]

for (const [live, flink] of GOLDEN)
  test(live, async () => {
    assert.equal(await printed(live), flink)
  })

test('tables of streams: event time with its watermark, or the time at which Flink sees the rows', () => {
  const short: Shape = {
    fields: [field('seen', { kind: 'timestamp' }), field('sent', { kind: 'timestamp' }, true), field('id', { kind: 'uuid' })],
  }
  assert.equal(
    printFlinkStream({ name: 'sales', shape: short, time: 'seen', latenessMs: 90_000 }, "'connector' = 'kafka'"),
    'CREATE TABLE `sales` (\n  `seen` TIMESTAMP_LTZ(3) NOT NULL,\n  `sent` TIMESTAMP_LTZ(6),\n  `id` STRING NOT NULL,\n' +
      "  WATERMARK FOR `seen` AS `seen` - INTERVAL '90' SECOND\n) WITH ('connector' = 'kafka')",
  )
  const item: Type = { kind: 'struct', fields: [field('sku', { kind: 'string' }), field('n', { kind: 'long' }, true)] }
  const nested = {
    fields: [
      field('items', {
        kind: 'map',
        key: { kind: 'int' },
        value: { type: { kind: 'list', element: { type: item, optional: true } }, optional: false },
      }),
    ],
  }
  assert.match(
    printFlinkStream({ name: 'sales', shape: nested, latenessMs: 0 }, ''),
    / `items` MAP<INT NOT NULL, ARRAY<ROW<`sku` STRING NOT NULL, `n` BIGINT>> NOT NULL> NOT NULL,/,
  )
  assert.match(printFlinkStream({ name: 'sales', shape: short, latenessMs: 0 }, ''), /\n {2}`_ingested_at` AS PROCTIME\(\)\n/)
})

test('joins: within bounds, of windows, without bounds; unions', async () => {
  const joined = await printed(
    'SELECT a.shop, b.n FROM sales a LEFT JOIN sales b ON a.shop = b.shop AND b.seen BETWEEN a.seen AND a.seen + INTERVAL 5 SECOND',
  )
  assert.match(joined, / AS l LEFT JOIN .* AS r ON `a\.shop` = `b\.shop` AND /)
  assert.match(joined, /`b\.seen` >= .*`a\.seen`.*INTERVAL '0' SECOND/)
  assert.match(joined, /`b\.seen` <= .*`a\.seen`.*INTERVAL '5' SECOND/)
  const alone = await printed(
    'SELECT a.shop, a.n FROM sales a WHERE NOT EXISTS (SELECT 1 FROM sales b WHERE a.shop = b.shop AND b.seen BETWEEN a.seen AND a.seen + INTERVAL 5 SECOND)',
  )
  assert.match(alone, / AS l LEFT JOIN .* AS r ON .*\) WHERE \(`b\.seen` IS NULL\)/)
  const windows = await printed(
    `SELECT a.shop, a.starts, b.n FROM (SELECT shop, window_start AS starts, window_end AS ends FROM tumble(sales, seen, INTERVAL 1 MINUTE) GROUP BY ALL) a
     JOIN (SELECT shop, window_start AS starts, window_end AS ends, count(*) AS n FROM tumble(sales, seen, INTERVAL 1 MINUTE) GROUP BY ALL) b
     ON a.shop = b.shop AND a.starts = b.starts AND a.ends = b.ends`,
  )
  assert.match(windows, /`a\.starts` = `b\.starts` AND `a\.ends` = `b\.ends`/)
  assert.match(windows, /CAST\(`a\.starts` AS TIMESTAMP_LTZ\(3\)\) AS `starts`/)
  assert.equal(await printed('SELECT count(*) AS sales FROM sales'), 'SELECT `_a0` AS `sales` FROM (SELECT COUNT(*) AS `_a0` FROM `sales`)')
  assert.match(
    await printed('SELECT shop FROM sales WHERE n > 1 UNION ALL SELECT device FROM sales WHERE device IS NOT NULL'),
    / UNION ALL /,
  )
})

const REFUSALS: readonly (readonly [live: string, message: RegExp])[] = [
  ['SELECT shop, arg_max(device, n) AS best FROM sales GROUP BY ALL', /^arg_max\(\.\.\.\) cannot be said/],
  ['SELECT shop, approx_count_distinct(device) AS d FROM sales GROUP BY ALL', /^approx_count_distinct over a stream/],
  ['SELECT strlen(shop) AS n FROM sales', /^strlen cannot be said/],
  ['SELECT greatest(heat, 1.5) AS heat FROM sales', /^greatest of values that may be null/],
  ['SELECT CAST(heat AS INTEGER) AS heat FROM sales', /^CAST of a double to INT, which Flink cuts/],
  ['SELECT CAST(heat AS VARCHAR) AS heat FROM sales', /^CAST of a double to text/],
  ['SELECT left(shop, n) AS l FROM sales', /^a length that is no constant/],
  ['SELECT epoch_ms(seen) AS ms FROM sales', /^epoch_ms/],
  [`SELECT date_trunc('week', seen) AS week FROM sales`, /^date_trunc\('week'/],
  [`SELECT date_part('millisecond', seen) AS ms FROM sales`, /^date_part\('millisecond'/],
  ["SELECT n FROM sales WHERE heat < CAST('NaN' AS DOUBLE)", /^the constant NaN/],
  [
    'SELECT a.n FROM sales a SEMI JOIN sales b ON a.shop = b.shop AND b.seen BETWEEN a.seen AND a.seen + INTERVAL 5 SECOND',
    /^a SEMI JOIN within bounds of time/,
  ],
  [
    'SELECT lag(n) OVER (PARTITION BY shop ORDER BY seen) AS a, lag(n, 2) OVER (PARTITION BY shop ORDER BY seen) AS b FROM sales',
    /^lag by several numbers of rows/,
  ],
  ['SELECT a.n, b.n AS m FROM sales a ASOF JOIN sales b ON a.shop = b.shop AND a.seen > b.seen', /^an ASOF join by these times/],
  [
    'SELECT a.n, b.c FROM sales a ASOF JOIN (SELECT window_end, shop, count(*) AS c FROM tumble(sales, seen, INTERVAL 1 MINUTE) GROUP BY ALL) b ON a.shop = b.shop AND a.seen >= b.window_end',
    /^an ASOF join by these times/,
  ],
  [
    'SELECT a.n, b.m FROM (SELECT seen, shop, n FROM tumble(sales, seen, INTERVAL 1 MINUTE) QUALIFY row_number() OVER (PARTITION BY window_start ORDER BY n) = 1) a ASOF JOIN (SELECT seen, shop, n AS m FROM sales) b ON a.shop = b.shop AND a.seen >= b.seen',
    /^an ASOF join of rows whose time Flink loses/,
  ],
  [
    "SELECT a.n, b.t FROM sales a ASOF JOIN (SELECT seen, shop, TIME '10:00' AS t FROM sales) b ON a.shop = b.shop AND a.seen >= b.seen",
    /^an ASOF join with a column of type time/,
  ],
  [
    'SELECT window_start, max(c) AS m FROM (SELECT window_start, shop, count(*) AS c FROM tumble(arriving, _ingested_at, INTERVAL 1 MINUTE) GROUP BY ALL) GROUP BY window_start',
    /^a window over these rows, whose time Flink loses,/,
  ],
  [
    'WITH w AS (SELECT seen AS s, shop FROM sales UNION ALL SELECT window_end, shop FROM tumble(sales, seen, INTERVAL 1 MINUTE) GROUP BY window_end, shop) SELECT window_start, count(*) AS c FROM tumble(w, s, INTERVAL 1 HOUR) GROUP BY ALL',
    /^a window over these rows, whose time Flink loses,/,
  ],
  [
    'WITH w AS (SELECT window_start AS starts, shop, count(*) AS c FROM tumble(sales, seen, INTERVAL 1 MINUTE) GROUP BY ALL) SELECT window_start, max(c) AS most FROM tumble(w, starts, INTERVAL 90 SECOND) GROUP BY ALL',
    /^a window over the starts of windows, whose length does not fit,/,
  ],
  [
    'WITH j AS (SELECT a.seen, b.n FROM sales a LEFT JOIN sales b ON a.shop = b.shop AND b.seen BETWEEN a.seen - INTERVAL 5 SECOND AND a.seen) SELECT window_start, sum(n) AS n FROM tumble(j, seen, INTERVAL 90 SECOND) GROUP BY ALL',
    /^a window over these rows, whose time Flink loses,/,
  ],
  ['SELECT shop, count(*) OVER (ORDER BY _ingested_at) AS c FROM arriving', /^a value of the rows before, of rows whose time Flink loses,/],
  [
    'SELECT seen, lag(n) OVER (ORDER BY seen) AS m FROM (SELECT seen, n FROM tumble(sales, seen, INTERVAL 1 MINUTE) QUALIFY row_number() OVER (PARTITION BY window_start ORDER BY n) = 1)',
    /^a value of the rows before, of rows whose time Flink loses,/,
  ],
  [
    'SELECT shop, window_end FROM (SELECT shop, window_start, window_end FROM session(sales, seen, INTERVAL 1 MINUTE, key := shop) GROUP BY ALL) QUALIFY row_number() OVER (PARTITION BY window_end ORDER BY shop) = 1',
    /^a rank over these rows of windows/,
  ],
  [String.raw`SELECT regexp_replace(shop, '(a)(b)', '\2\1') AS s FROM sales`, /^a replacement with groups/],
  ['SELECT shop, _offset AS at FROM sales', /^_offset, which Flink's tables do not have/],
  ["SELECT seen + INTERVAL '5 microseconds' AS at FROM sales", /^a length of 5 microseconds/],
  ['SELECT window_start, n FROM tumble(sales, seen, INTERVAL 7 SECOND)', /^a bound of a window row by row/],
  ['SELECT shop, count(*) AS c FROM sales GROUP BY shop QUALIFY rank() OVER (ORDER BY count(*) DESC) = 1', /^rank\(\) without a window/],
  [
    'SELECT window_start, n FROM tumble(sales, seen, INTERVAL 1 MINUTE) QUALIFY rank() OVER (PARTITION BY window_start ORDER BY n) <= 2',
    /^rank\(\) beyond the first/,
  ],
  [
    'SELECT window_start, n FROM tumble(sales, seen, INTERVAL 1 MINUTE) QUALIFY rank() OVER (PARTITION BY window_start ORDER BY heat) = 1',
    /^rank\(\) by several values, or by one that may be null/,
  ],
]

for (const [live, message] of REFUSALS)
  test(`refused: ${live}`, async () => {
    await assert.rejects(printed(live), { code: 'MR_PLAN_FLINK', message })
  })
