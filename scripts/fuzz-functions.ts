// Writes src/engine/listed-functions.ts: which functions of DuckDB a question may use. Every function is denied by name (below), or
// tried on rows that a policy hides: Parquet with dictionaries and a table in memory, in several clauses. One whose outcome
// tells about hidden rows, or that could not be tried, is `strict`: restricted callers get it in two stages only.
// Run it after an upgrade of the engine: node24 scripts/fuzz-functions.ts [name of one function, to see its verdict]
import { execFile } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'

const words = (text: string): string[] => text.trim().split(/\s+/)

/** Never for users, by reason. */
const DENIED: Readonly<Record<string, readonly string[]>> = {
  'read settings, variables, sessions or the catalog': words(`
    current_setting getvariable current_catalog current_database current_schema current_schemas current_user session_user user
    current_role current_query current_connection_id current_query_id current_transaction_id txid_current in_search_path
    col_description obj_description shobj_description get_block_size map_to_pg_oid format_pg_type format_type
    has_any_column_privilege has_column_privilege has_database_privilege has_foreign_data_wrapper_privilege
    has_function_privilege has_language_privilege has_schema_privilege has_sequence_privilege has_server_privilege
    has_table_privilege has_tablespace_privilege inet_client_addr inet_client_port inet_server_addr inet_server_port
    pg_collation_is_visible pg_conf_load_time pg_conversion_is_visible pg_function_is_visible pg_get_constraintdef pg_get_expr
    pg_get_viewdef pg_has_role pg_is_other_temp_schema pg_my_temp_schema pg_opclass_is_visible pg_operator_is_visible
    pg_opfamily_is_visible pg_postmaster_start_time pg_table_is_visible pg_ts_config_is_visible pg_ts_dict_is_visible
    pg_ts_parser_is_visible pg_ts_template_is_visible pg_type_is_visible`),
  'run or describe SQL': words('json_deserialize_sql json_serialize_plan json_serialize_sql parse_duckdb_log_message'),
  'change state, wait, log or fail on purpose': words('currval nextval setseed pg_sleep sleep_ms write_log error'),
  'do not end when interrupted': words('bitstring generate_series range'),
  'show how the engine stores or plans': words(`
    stats vector_type create_sort_key constant_or_null finalize combine bitstring_agg variant_to_parquet_variant
    variant_bytes_to_variant timetz_byte_comparable cast_to_type make_type replace_type get_type can_cast_implicitly remap_struct`),
}
const isDenied = (name: string): boolean =>
  name.startsWith('__internal_') || name.startsWith('icu_collate_') || Object.values(DENIED).some((names) => names.includes(name))

/** Values on which functions usually work, and values on which they may fail. */
const VALUES: Readonly<Record<string, { readonly good: readonly string[]; readonly bad: readonly string[] }>> = {
  VARCHAR: {
    good: [
      "'5'",
      "'a'",
      "'2020-01-01'",
      "'[1]'",
      "'%Y'",
      "'day'",
      "'{}'",
      "'s'",
      "'1 KB'",
      "'41'",
      "'VARCHAR'",
      "'UTC'",
      "'sum'",
      "'YWJj'",
      "'101'",
    ],
    bad: ["'[S-1'", "'\\'", "''", "'%'", "'Sécret'", '\'{"a":\'', "'99999999999999999999'", "'{1}{}'", "'(?<'", "'zz'", "'_'"],
  },
  BIGINT: { good: ['1', '5', '2020'], bad: ['-1', '9223372036854775807', '-9223372036854775808', '0', '9999999'] },
  HUGEINT: { good: ['1::HUGEINT'], bad: ['170141183460469231731687303715884105727::HUGEINT', '-1::HUGEINT', '0::HUGEINT'] },
  UHUGEINT: { good: ['1::UHUGEINT'], bad: ['340282366920938463463374607431768211455::UHUGEINT', '0::UHUGEINT'] },
  INTEGER: { good: ['1', '5'], bad: ['-1', '2147483647', '0', '-2147483648', '99'] },
  SMALLINT: { good: ['1::SMALLINT'], bad: ['32767::SMALLINT', '-32768::SMALLINT', '0::SMALLINT'] },
  TINYINT: { good: ['1::TINYINT'], bad: ['127::TINYINT', '-128::TINYINT', '0::TINYINT'] },
  UBIGINT: { good: ['1::UBIGINT'], bad: ['18446744073709551615::UBIGINT', '0::UBIGINT'] },
  UINTEGER: { good: ['1::UINTEGER'], bad: ['4294967295::UINTEGER', '0::UINTEGER'] },
  USMALLINT: { good: ['1::USMALLINT'], bad: ['65535::USMALLINT', '0::USMALLINT'] },
  UTINYINT: { good: ['1::UTINYINT'], bad: ['255::UTINYINT', '0::UTINYINT'] },
  DOUBLE: { good: ['0.5::DOUBLE', '2.0::DOUBLE'], bad: ['-1.5::DOUBLE', "'inf'::DOUBLE", "'nan'::DOUBLE", '0.0::DOUBLE', '1e308::DOUBLE'] },
  FLOAT: { good: ['0.5::FLOAT'], bad: ["'nan'::FLOAT", "'inf'::FLOAT", '-1::FLOAT', '3e38::FLOAT'] },
  DECIMAL: { good: ['1.50::DECIMAL(18,2)'], bad: ['9999999999999999.99::DECIMAL(18,2)', '-1::DECIMAL(18,2)', '0::DECIMAL(18,2)'] },
  BIGNUM: { good: ["'5'::BIGNUM"], bad: ["'-99999999999999999999999999999999999999999999'::BIGNUM"] },
  BOOLEAN: { good: ['true'], bad: ['false'] },
  JSON: { good: ['\'{"a":1}\'::JSON', "'[1]'::JSON"], bad: ["'[1'", '\'{"a":"x"}\'', '\'"S-1"\'', "'nul'"] },
  BLOB: { good: ["'a'::BLOB"], bad: ["'\\xFF\\xFE'::BLOB", "''::BLOB"] },
  BIT: { good: ["'101'::BIT"], bad: ["'1'::BIT", "'1010101010'::BIT"] },
  UUID: { good: ["'01890000-0000-7000-8000-000000000000'::UUID"], bad: ["'00000000-0000-4000-8000-000000000000'::UUID"] },
  DATE: { good: ["DATE '2020-01-01'"], bad: ["'infinity'::DATE", "DATE '290000-01-01'", "DATE '0044-03-15 (BC)'", "'-infinity'::DATE"] },
  TIME: { good: ["TIME '01:02:03'"], bad: ["TIME '24:00:00'"] },
  TIME_NS: { good: ["'01:02:03'::TIME_NS"], bad: ["'24:00:00'::TIME_NS"] },
  'TIME WITH TIME ZONE': { good: ["'01:02:03+00'::TIMETZ"], bad: ["'24:00:00+15:59'::TIMETZ"] },
  TIMESTAMP: { good: ["TIMESTAMP '2020-01-01 00:00:00'"], bad: ["'infinity'::TIMESTAMP", "TIMESTAMP '290000-01-01 00:00:00'"] },
  TIMESTAMP_NS: { good: ["'2020-01-01'::TIMESTAMP_NS"], bad: ["'infinity'::TIMESTAMP_NS"] },
  'TIMESTAMP WITH TIME ZONE': {
    good: ["'2020-01-01 00:00:00+00'::TIMESTAMPTZ"],
    bad: ["'infinity'::TIMESTAMPTZ", "'290000-01-01 00:00:00+00'::TIMESTAMPTZ"],
  },
  INTERVAL: { good: ["INTERVAL '1 day'"], bad: ["INTERVAL '-200000 years'", "INTERVAL '0 days'", "INTERVAL '178000000 years'"] },
  'VARCHAR[]': { good: ["['5', 'a']"], bad: ["['[S-1']", '[]::VARCHAR[]', '[NULL::VARCHAR]', "['99999999999999999999']"] },
  'BIGINT[]': { good: ['[1, 2]'], bad: ['[]::BIGINT[]', '[9223372036854775807, 9223372036854775807]', '[-1]', '[1, 2, 3]'] },
  'DOUBLE[]': {
    good: ['[1.0::DOUBLE, 2.0]'],
    bad: ['[]::DOUBLE[]', "['nan'::DOUBLE]", '[0.0::DOUBLE, 0.0]', '[1.0::DOUBLE, 2.0, 3.0]', '[NULL::DOUBLE, 1.0]'],
  },
  'FLOAT[]': { good: ['[1.0::FLOAT, 2.0]'], bad: ['[]::FLOAT[]', '[0.0::FLOAT, 0.0]', '[1.0::FLOAT]', '[NULL::FLOAT, 1.0]'] },
  'BOOLEAN[]': { good: ['[true, false]'], bad: ['[]::BOOLEAN[]', '[true]', '[NULL::BOOLEAN]'] },
  'BIGINT[][]': { good: ['[[1, 2], [3]]'], bad: ['[[]]::BIGINT[][]', '[NULL::BIGINT[]]'] },
  STRUCT: { good: ["{'a': 1, 'b': 'x'}"], bad: ["{'a': -1, 'b': '[S-1'}", "{'a': NULL::INTEGER, 'b': NULL::VARCHAR}"] },
  'MAP(VARCHAR, BIGINT)': { good: ["MAP {'5': 1::BIGINT}"], bad: ['MAP {}::MAP(VARCHAR, BIGINT)', "MAP {'[S': -1::BIGINT}"] },
  'STRUCT(K VARCHAR, V BIGINT)[]': {
    good: ["[{'k': '5', 'v': 1::BIGINT}]"],
    bad: ["[{'k': NULL::VARCHAR, 'v': 1::BIGINT}]", "[{'k': 'S', 'v': 1::BIGINT}, {'k': 'S', 'v': 2::BIGINT}]"],
  },
  'DOUBLE[3]': {
    good: ['array_value(1.0::DOUBLE, 2.0, 3.0)'],
    bad: ['array_value(0.0::DOUBLE, 0.0, 0.0)', 'array_value(NULL::DOUBLE, 1.0, 2.0)'],
  },
  'FLOAT[3]': {
    good: ['array_value(1.0::FLOAT, 2.0, 3.0)'],
    bad: ['array_value(0.0::FLOAT, 0.0, 0.0)', 'array_value(NULL::FLOAT, 1.0, 2.0)'],
  },
}

/** Types to try for a parameter as the catalog gives it. */
function candidates(type: string): readonly string[] {
  if (VALUES[type]) return [type]
  if (type.startsWith('DECIMAL')) return ['DECIMAL']
  if (type.endsWith('[ANY]')) return [`${type.slice(0, -5)}[3]`]
  if (type === 'T[][]') return ['BIGINT[][]']
  if (type === 'STRUCT(K, V)[]') return ['STRUCT(K VARCHAR, V BIGINT)[]']
  if (type.startsWith('STRUCT')) return ['STRUCT']
  if (type.startsWith('MAP')) return ['MAP(VARCHAR, BIGINT)']
  if (/^(ANY|T|K|V)\[\]$/.test(type)) return ['BIGINT[]', 'VARCHAR[]', 'DOUBLE[]', 'BOOLEAN[]']
  if (/^(ANY|T|K|V|VARIANT|UNION|GEOMETRY|AGGREGATE_STATE<\?>)$/.test(type))
    return ['VARCHAR', 'BIGINT', 'BIGINT[]', 'STRUCT', 'DOUBLE', 'TIMESTAMP', 'MAP(VARCHAR, BIGINT)']
  return []
}

/** Forms that are no functions by name; `#` is the tested value. They decide PLAIN_TYPES of src/govern/strict.ts, by hand. */
const FORMS: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  CAST: [
    ...words('INTEGER BIGINT DOUBLE DECIMAL(5,2) DATE TIMESTAMP TIMESTAMPTZ TIME UUID BOOLEAN JSON INTERVAL BLOB BIT').map(
      (type) => ['VARCHAR', `CAST(# AS ${type})`] as const,
    ),
    ['VARCHAR', 'CAST(# AS INTEGER[])'],
    ['VARCHAR', "CAST(# AS ENUM('5', 'a'))"],
    ['BIGINT', 'CAST(# AS TINYINT)'],
    ['BIGINT', 'CAST(# AS BIT)'],
    ['BIGINT', 'CAST(# AS DECIMAL(4,2))'],
    ['INTEGER', 'CAST(# AS DECIMAL(4,2))'],
    ['HUGEINT', 'CAST(# AS DECIMAL(4,2))'],
    ['FLOAT', 'CAST(# AS DECIMAL(4,2))'],
    ['DOUBLE', 'CAST(# AS TIMESTAMP)'],
    ['UHUGEINT', 'CAST(# AS BIGINT)'],
    ['FLOAT', 'CAST(# AS SMALLINT)'],
    ['DECIMAL', 'CAST(# AS TINYINT)'],
    ['TIME WITH TIME ZONE', 'CAST(# AS TIME)'],
    ['HUGEINT', 'CAST(# AS BIGINT)'],
    ['DOUBLE', 'CAST(# AS BIGINT)'],
    ['TIMESTAMP', 'CAST(# AS TIMESTAMPTZ)'],
    ['TIMESTAMP WITH TIME ZONE', 'CAST(# AS TIMESTAMP)'],
    ['TIMESTAMP WITH TIME ZONE', 'CAST(# AS DATE)'],
    ['DATE', 'CAST(# AS TIMESTAMP)'],
    ['DATE', 'CAST(# AS TIMESTAMPTZ)'],
    ['TIMESTAMP', 'CAST(# AS TIMESTAMP_MS)'],
    ['TIME', 'CAST(# AS TIMETZ)'],
    ['INTERVAL', 'CAST(# AS TIME)'],
    ['JSON', 'CAST(# AS INTEGER)'],
    ['JSON', 'CAST(# AS STRUCT(a INTEGER))'],
    ['MAP(VARCHAR, BIGINT)', 'CAST(# AS MAP(INTEGER, TINYINT))'],
    ['VARCHAR[]', 'CAST(# AS INTEGER[])'],
    ['UUID', 'CAST(# AS HUGEINT)'],
    ['BLOB', 'CAST(# AS UUID)'],
    ['DOUBLE', 'CAST(# AS INTEGER)'],
    ['DECIMAL', 'CAST(# AS DECIMAL(4,2))'],
    ['BLOB', 'CAST(# AS VARCHAR)'],
    ['BIGINT[]', 'CAST(# AS TINYINT[])'],
    ['STRUCT', 'CAST(# AS STRUCT(a UTINYINT, b VARCHAR))'],
    ['BIGINT[]', 'CAST(# AS BIGINT[2])'],
    ['DOUBLE', 'CAST(# AS DECIMAL(4,2))'],
  ],
  'CAST:TIMESTAMP_NS': [
    ['DATE', 'CAST(# AS TIMESTAMP_NS)'],
    ['TIMESTAMP', 'CAST(# AS TIMESTAMP_NS)'],
    ['VARCHAR', 'CAST(# AS TIMESTAMP_NS)'],
  ],
  'CAST:VARIANT': [['VARCHAR', 'CAST(# AS VARIANT)']],
  'CAST:BIGNUM': [
    ['DOUBLE', 'CAST(# AS BIGNUM)'],
    ['VARCHAR', 'CAST(# AS BIGNUM)'],
  ],
  'CAST:GEOMETRY': [
    ['BLOB', 'CAST(# AS GEOMETRY)'],
    ['VARCHAR', 'CAST(# AS GEOMETRY)'],
  ],
  ARRAY_SLICE: [
    ['BIGINT', "'abc'[#:2]"],
    ['BIGINT', "'abc'[1:#]"],
    ['BIGINT', '[1, 2, 3][1:3:#]'],
    ['VARCHAR', '#[1:9223372036854775807]'],
    ['BIGINT[]', '#[-9223372036854775808:2]'],
  ],
  ARRAY_EXTRACT: [
    ['BIGINT', "'abc'[#]"],
    ['BIGINT', '[1, 2][#]'],
    ['VARCHAR', '#[1]'],
    ['VARCHAR', "MAP {'5': 1}[#]"],
  ],
  LAMBDA: [
    ['VARCHAR', 'list_transform([#], x -> CAST(x AS INTEGER))'],
    ['BIGINT', 'list_filter([#], x -> x * 4 > 0)'],
  ],
  COLLATE: [
    ['VARCHAR', "(# COLLATE NOCASE) = 'x'"],
    ['VARCHAR', "(# COLLATE de) = 'x'"],
  ],
  BETWEEN: [['BIGINT', '# BETWEEN 1 AND 3']],
}

const ROWS = 6_000
const AGGREGATE_OVERLOADS = 8
/** Far longer than any function needs that ends. */
const ALONE_MS = 240_000
const directory = tmpdir()
const instance = await DuckDBInstance.create(':memory:', {
  threads: '2',
  memory_limit: '600MB',
  max_temp_directory_size: '0B',
  temp_directory: '',
})
const connection = await instance.connect()
const only = process.argv[2]

const errorOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause)).split('\n')[0]!.slice(0, 110)
const isBinding = (error: string): boolean => /^(Binder|Parser|Catalog|Not implemented)/.test(error)

/** The error, or the count as text. */
async function outcome(sql: string, on: DuckDBConnection = connection): Promise<{ error: string | null; value: string }> {
  const timer = setTimeout(() => on.interrupt(), 1_500)
  try {
    const rows = (await on.runAndReadAll(sql)).getRowsJson()
    return { error: null, value: JSON.stringify(rows) }
  } catch (cause) {
    return { error: errorOf(cause), value: '' }
  } finally {
    clearTimeout(timer)
  }
}

let sources = 0
const known = new Map<string, { hidden: string[]; clean: string }>()

/** Rows of tenant a with a harmless value and of tenant b with a nasty one, as Parquet and as a table; `clean` has only a's. */
async function sourceOf(type: string, good: string, bad: string): Promise<{ hidden: string[]; clean: string } | null> {
  const key = `${type}|${good}|${bad}`
  const found = known.get(key)
  if (found) return found
  const id = sources++
  const file = join(directory, `fuzz-${process.pid}-${id}.parquet`)
  const select = `SELECT CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END AS tenant, CASE WHEN i % 2 = 0 THEN ${good} ELSE ${bad} END AS v, i % 7 AS k FROM range(${ROWS}) r(i)`
  const steps = [
    `CREATE TABLE t${id} AS ${select}`,
    `CREATE TABLE c${id} AS SELECT * FROM t${id} WHERE tenant = 'a'`,
    `COPY t${id} TO '${file}' (FORMAT parquet)`,
    `CREATE VIEW f${id} AS FROM read_parquet('${file}')`,
  ]
  for (const step of steps) if ((await outcome(step)).error) return null
  const made = { hidden: [`f${id}`, `t${id}`], clean: `c${id}` }
  known.set(key, made)
  return made
}

const POLICIES = ["tenant = 'a'", "lower(tenant) = 'a'", "tenant IN (SELECT 'a')", "tenant = 'a' OR tenant = 'c'"]
const SHAPES = (call: string, from: string): string[] => [
  `SELECT count(*) FROM ${from} WHERE ${call} IS NOT NULL`,
  `SELECT count(x) FROM (SELECT ${call} AS x FROM ${from})`,
  `SELECT count(*) FROM (SELECT ${call} AS x, count(*) FROM ${from} GROUP BY 1)`,
  `SELECT count(*) FROM ${from} JOIN (VALUES (1)) w(k) USING (k) WHERE ${call} IS NOT NULL AND k > 0`,
  `SELECT count(*) FROM (SELECT k, row_number() OVER (ORDER BY ${call}) FROM ${from})`,
]

/** How the value of `call` tells about hidden rows; null when it does not. `#` in `call` is the column. */
async function leakOf(call: string, type: string, good: string, bad: string, isAggregate: boolean): Promise<string | null> {
  const source = await sourceOf(type, good, bad)
  if (!source) return null
  const expression = call.replaceAll('#', 'v')
  const open = isAggregate ? `SELECT ${expression} FROM ${source.hidden[1]} WHERE tenant = 'b'` : SHAPES(expression, source.hidden[1]!)[1]!
  const raw = await outcome(open)
  if (!isAggregate && (raw.error === null || isBinding(raw.error))) return null
  const shapes = (from: string): string[] => (isAggregate ? [`SELECT ${expression} FROM ${from}`] : SHAPES(expression, from))
  const clean = []
  for (const sql of shapes(`(SELECT v, k FROM ${source.clean})`)) clean.push(await outcome(sql))
  for (const hidden of source.hidden)
    for (const policy of POLICIES)
      for (const [index, sql] of shapes(`(SELECT v, k FROM ${hidden} WHERE ${policy})`).entries()) {
        const [seen, right] = [await outcome(sql), clean[index]!]
        // Parquet knows fewer types: what does not bind over it cannot be asked.
        if (seen.error !== null && isBinding(seen.error)) continue
        if (seen.error !== right.error) return `${sql} :: ${seen.error} instead of ${right.error ?? right.value}`
      }
  return null
}

interface Overload {
  readonly name: string
  readonly kind: string
  readonly types: readonly string[]
}

/** Argument lists, as types and working values, with which a function can be called; at most `max`. */
async function workingCalls(overload: Overload, max: number): Promise<{ types: string[]; args: string[] }[]> {
  let lists: string[][] = [[]]
  for (const type of overload.types) lists = lists.flatMap((list) => candidates(type).map((candidate) => [...list, candidate])).slice(0, 60)
  const found: { types: string[]; args: string[] }[] = []
  for (const types of lists) {
    let values: string[][] = [[]]
    for (const type of types) values = values.flatMap((list) => VALUES[type]!.good.map((value) => [...list, value])).slice(0, 240)
    const spread = values.length > 60 ? values.filter((_, index) => index % Math.ceil(values.length / 60) === 0) : values
    for (const args of spread) {
      if ((await outcome(`SELECT ${callOf(overload.name, args)}`)).error) continue
      found.push({ types, args })
      break
    }
    if (found.length >= max) break
  }
  return found
}

function callOf(name: string, args: readonly string[]): string {
  if (/^[a-z_]/i.test(name)) return `"${name}"(${args.join(', ')})`
  if (name === '!__postfix') return `(${args[0]} !)`
  return args.length === 1 ? `(${name} ${args[0]})` : `(${args[0]} ${name} ${args[1]})`
}

async function verdictOf(overload: Overload): Promise<{ tried: number; leaks: readonly string[] }> {
  if (overload.types.length === 0) return { tried: 1, leaks: [] }
  const leaks: string[] = []
  let tried = 0
  for (const { types, args } of await workingCalls(overload, overload.kind === 'aggregate' ? 1 : 4))
    for (const [position, type] of types.entries())
      for (const bad of VALUES[type]!.bad) {
        tried++
        const call = callOf(
          overload.name,
          args.map((arg, index) => (index === position ? '#' : arg)),
        )
        const leak = await leakOf(call, type, args[position]!, bad, overload.kind === 'aggregate')
        if (leak) leaks.push(`${types.join(', ')} :: ${leak}`)
        if (leak) break
      }
  return { tried, leaks }
}

async function overloads(): Promise<Overload[]> {
  const rows = (
    await connection.runAndReadAll(`SELECT DISTINCT lower(function_name), function_type, parameter_types::VARCHAR[] || CASE WHEN varargs IS NULL THEN [] ELSE list_transform(range(extra), lambda i: varargs) END
      FROM duckdb_functions(), range(3) r(extra) WHERE function_type IN ('scalar', 'aggregate') OR (function_type = 'macro' AND internal) ORDER BY 1`)
  ).getRowsJson() as [string, string, (string | null)[] | null][]
  return rows.map(([name, kind, types]) => ({ name, kind, types: (types ?? []).map((type) => type ?? 'ANY') }))
}

interface Verdict {
  tried: number
  readonly leaks: string[]
}

/** Tries one function with all its overloads, or one form. */
async function verdictOfName(name: string): Promise<Verdict> {
  const verdict: Verdict = { tried: 0, leaks: [] }
  if (FORMS[name]) return verdictOfForm(FORMS[name])
  const own = (await overloads()).filter((overload) => overload.name === name)
  // Aggregates see rows after the policy; a few of their many overloads show whether one looks at statistics.
  for (const overload of own[0]?.kind === 'aggregate' ? own.slice(0, AGGREGATE_OVERLOADS) : own) {
    const { tried, leaks } = await verdictOf(overload)
    verdict.tried += tried
    verdict.leaks.push(...leaks)
  }
  return verdict
}

async function verdictOfForm(cases: readonly (readonly [string, string])[]): Promise<Verdict> {
  const verdict: Verdict = { tried: 0, leaks: [] }
  for (const [type, call] of cases)
    for (const good of VALUES[type]!.good) {
      if ((await outcome(`SELECT ${call.replaceAll('#', good)}`)).error) continue
      for (const bad of VALUES[type]!.bad) {
        verdict.tried++
        const leak = await leakOf(call, type, good, bad, false)
        if (leak) verdict.leaks.push(`${type} ${call} :: ${leak}`)
      }
      break
    }
  return verdict
}

/** In a process of its own, since a function may never end; null when it did not. */
const tryAlone = (name: string): Promise<Verdict | null> =>
  new Promise((resolve) => {
    execFile(process.execPath, [fileURLToPath(import.meta.url), name], { timeout: ALONE_MS, killSignal: 'SIGKILL' }, (error, stdout) =>
      resolve(error ? null : (JSON.parse(stdout) as Verdict)),
    )
  })

async function tryAll(): Promise<void> {
  const names = [...new Set((await overloads()).map((overload) => overload.name))]
  const lists: Record<'safe' | 'strict' | 'denied' | 'forms', string[]> = {
    safe: [],
    strict: [],
    denied: names.filter(isDenied),
    forms: [],
  }
  const queue = [...names.filter((name) => !isDenied(name)), ...Object.keys(FORMS)]
  let tried = 0
  const work = async (): Promise<void> => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const verdict = await tryAlone(name)
      tried += verdict?.tried ?? 0
      const isUntried = verdict?.tried === 0
      if (!verdict) console.log(`${name} :: does not end, or ends the process`)
      else if (isUntried) console.log(`${name} :: could not be tried`)
      else for (const leak of verdict.leaks) console.log(`${name} :: ${leak}`)
      if (FORMS[name]) verdict?.leaks.length === 0 || lists.forms.push(name)
      else lists[!verdict ? 'denied' : isUntried || verdict.leaks.length > 0 ? 'strict' : 'safe'].push(name)
    }
  }
  await Promise.all([work(), work()])
  const version = String((await connection.runAndReadAll('SELECT version()')).getRowsJson()[0]![0])
  writeFileSync(new URL('../src/engine/listed-functions.ts', import.meta.url), page(version, lists))
  console.log({ tried, safe: lists.safe.length, strict: lists.strict.length, denied: lists.denied.length, forms: lists.forms })
}

function page(version: string, { safe, strict, denied }: Record<'safe' | 'strict' | 'denied', readonly string[]>): string {
  const block = (names: readonly string[]): string => {
    const lines: string[] = ['']
    for (const name of [...names].sort()) {
      if (lines.at(-1)!.length + name.length > 118) lines.push('')
      lines[lines.length - 1] += `${lines.at(-1) === '' ? '  ' : ' '}${name}`
    }
    return `\n${lines.join('\n')}\n`
  }
  return `// Functions that the gate lets through, for one version of the engine. Written by scripts/fuzz-functions.ts: do not edit.
// A name that is in none of the lists is refused.

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\\s+/))

export const ENGINE_VERSION = '${version}'

/** May be used by everybody. */
export const SAFE_FUNCTIONS = words(\`${block(safe)}\`)

/** May fail on rows that a policy hides, and so tell about them: restricted callers get them in two stages. */
export const STRICT_FUNCTIONS = words(\`${block(strict)}\`)

/** Read settings, files or the catalog, change state, wait, or show how the engine works. */
export const DENIED_FUNCTIONS = words(\`${block(denied)}\`)
`
}

if (only === undefined) await tryAll()
else {
  console.log(JSON.stringify(await verdictOfName(only)))
  for (const { hidden } of known.values()) rmSync(join(directory, `fuzz-${process.pid}-${hidden[0]!.slice(1)}.parquet`))
  process.exit(0)
}
