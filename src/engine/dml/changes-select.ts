// The SELECT that says what a statement changes: one row for each row of the table that it writes or takes away. It is a question
// like any other, so the gate, policies and pins of questions hold for every expression of the statement. Pure text, but for the
// columns of the statement's own queries, which `Describe` tells.
import { MillraceError } from '../../core/errors.ts'
import { toDuckType } from '../../schema/duckdb.ts'
import type { Field, Shape } from '../../schema/type.ts'
import { quoteName, quoteText } from '../sql-text.ts'
import { OWN_NAMES, sameName } from './read-statement.ts'
import type {
  Assignment,
  DeleteStatement,
  InsertStatement,
  MergeStatement,
  Source,
  UpdateStatement,
  When,
  WriteStatement,
} from './statement.ts'

/** One way in which a statement changes a row. Rows of the SELECT name theirs by its place in the list. */
export interface Branch {
  readonly kind: 'insert' | 'update' | 'delete' | 'error'
  /** Columns that are left to what the table's shape says of absent ones. */
  readonly absent: ReadonlySet<string>
}

export interface ChangesSelect {
  /**
   * Columns: number of the branch, old key, new row; of the latter what a branch has none of is null. Branch -1: a row that is in
   * the table and has the key of one that a statement wants to add.
   */
  readonly sql: string
  readonly branches: readonly Branch[]
  /** Of INSERT: what becomes of rows whose key is in the table. */
  readonly onConflict: 'error' | 'ignore' | 'replace'
  /** Whether a row of the table can be changed twice, which must not be. */
  readonly mayRepeat: boolean
  /** Whether rows can get a key that they did not have. */
  readonly addsKeys: boolean
}

export interface ChangedTable {
  readonly name: string
  /** Without the system's columns. */
  readonly shape: Shape
  /** Empty: rows are only added. */
  readonly key: readonly string[]
}

/** Names of the columns of a SELECT; of `source`, when it stands alone in FROM, what else it is called. */
export interface Describe {
  columns(select: string): Promise<readonly string[]>
  /** What rows of a table expression are called; undefined for a join, which has several names; empty when it has none. */
  alias(source: string): Promise<string | undefined>
}

const SOURCE = `${OWN_NAMES}source`
const CHANGES = `${OWN_NAMES}changes`
const HITS = `${OWN_NAMES}hits`
const ROW = `${OWN_NAMES}row`

/** @throws MR_SQL_UNKNOWN for columns that the table does not have, MR_SQL_STATEMENT for what is not possible. */
export async function changesSelect(statement: WriteStatement, table: ChangedTable, describe: Describe): Promise<ChangesSelect> {
  const writer = new Writer(statement, table, describe)
  switch (statement.kind) {
    case 'insert':
      return typeof statement.onConflict === 'object'
        ? writer.merge(await writer.upsert(statement, statement.onConflict))
        : writer.insert(statement, statement.onConflict)
    case 'update':
      return writer.update(statement)
    case 'delete':
      return writer.delete(statement)
    case 'merge':
      return writer.merge(await writer.mergePlan(statement))
  }
}

/** By column: an expression, or null for its default. */
type Values = ReadonlyMap<string, string | null>

interface MergePlan {
  readonly alias: string
  /** SELECT of the source's rows. */
  readonly source: string
  readonly on: string
  readonly whens: readonly { readonly when: When; readonly values: Values }[]
}

class Writer {
  readonly #statement: WriteStatement
  readonly #table: ChangedTable
  readonly #describe: Describe
  readonly #branches: Branch[] = []
  readonly #selects: string[] = []
  /** Branches whose rows get a key that they did not have. */
  readonly #adding: number[] = []

  constructor(statement: WriteStatement, table: ChangedTable, describe: Describe) {
    this.#statement = statement
    this.#table = table
    this.#describe = describe
  }

  /** In FROM: by its full name, so that no CTE can be meant. */
  get #from(): string {
    const { schema, name, alias } = this.#statement.target
    return `${quoteName(schema === '' ? 'main' : schema)}.${quoteName(name)} AS ${quoteName(alias)}`
  }

  #column(name: string): string {
    return `${quoteName(this.#statement.target.alias)}.${quoteName(name)}`
  }

  async insert(statement: InsertStatement, onConflict: ChangesSelect['onConflict']): Promise<ChangesSelect> {
    this.#checkConflictColumns(statement)
    if (statement.sources.length === 0) this.#branch('insert', this.#all(null), '')
    for (const source of statement.sources) {
      const { values, from } = await this.#insertValues(statement, source)
      this.#branch('insert', values, ` FROM ${from}`)
    }
    return this.#finish({ onConflict, mayRepeat: false })
  }

  update({ set, from, where }: UpdateStatement): ChangesSelect {
    const values = this.#assigned(set)
    this.#branch('update', values, ` FROM ${this.#from}${from === null ? '' : `, ${from}`}${whereOf(where)}`)
    return this.#finish({ onConflict: 'error', mayRepeat: from !== null })
  }

  delete({ using, where }: DeleteStatement): ChangesSelect {
    this.#branch('delete', new Map(), ` FROM ${this.#from}${using === null ? '' : `, ${using}`}${whereOf(where)}`, {
      isDistinct: using !== null,
    })
    return this.#finish({ onConflict: 'error', mayRepeat: false })
  }

  async mergePlan({ ctes, source, on, whens }: MergeStatement): Promise<MergePlan> {
    const alias = await this.#describe.alias(source)
    if (alias === undefined)
      throw new MillraceError('MR_SQL_STATEMENT', 'the source of MERGE is a join, whose rows have no one name', {
        fix: 'give it one: USING (SELECT ... FROM a JOIN b ON ...) AS s',
      })
    const called = alias === '' ? SOURCE : alias
    let columns: readonly string[] | undefined
    const sourceColumns = async (): Promise<readonly string[]> =>
      (columns ??= await this.#describe.columns(`${withOf(ctes)}SELECT * FROM ${source}`))
    const planned = []
    for (const when of whens) planned.push({ when, values: await this.#actionValues(when, called, sourceColumns) })
    const condition =
      typeof on === 'string'
        ? on
        : on.map((name) => `${this.#column(this.#field(name).name)} = ${quoteName(called)}.${quoteName(name)}`).join(' AND ')
    return { alias: called, source: `SELECT *, row_number() OVER () AS ${quoteName(ROW)} FROM ${source}`, on: condition, whens: planned }
  }

  async #actionValues({ action }: When, alias: string, sourceColumns: () => Promise<readonly string[]>): Promise<Values> {
    if (action.kind === 'insert values') {
      const { fields } = this.#table.shape
      if (action.values.length !== fields.length) throw wrongCount(this.#table, action.values.length, fields.length)
      return new Map(fields.map(({ name }, index) => [name, action.values[index]!]))
    }
    if (action.kind !== 'insert' && action.kind !== 'update') return new Map()
    if (action.set !== 'by name') return this.#assigned(action.set)
    const columns = await sourceColumns()
    return this.#assigned(columns.map((column) => ({ column, value: `${quoteName(alias)}.${quoteName(column)}` })))
  }

  /** INSERT ... ON CONFLICT DO UPDATE: a merge with the rows to insert, which are called `excluded`. */
  async upsert(statement: InsertStatement, { set, where }: { set: readonly Assignment[]; where: string | null }): Promise<MergePlan> {
    this.#checkConflictColumns(statement)
    const [source] = statement.sources
    if (statement.sources.length !== 1 || !source || (source.kind === 'values' && source.defaults.length > 0))
      throw new MillraceError('MR_SQL_STATEMENT', 'DEFAULT is not supported among VALUES with ON CONFLICT DO UPDATE', {
        fix: 'leave such columns out of the list of columns',
      })
    const { values, from } = await this.#insertValues(statement, source)
    const unset = this.#table.key.find((column) => values.get(column) === undefined)
    if (unset !== undefined)
      throw new MillraceError('MR_SQL_STATEMENT', `INSERT gives no value for ${unset}, a column of the key`, {
        fix: 'add it to the list of columns',
      })
    const excluded = this.#table.shape.fields.map((field) => {
      const value = values.get(field.name)
      return `CAST(${typeof value === 'string' ? `(${value})` : defaultOf(field)} AS ${toDuckType(field.type)}) AS ${quoteName(field.name)}`
    })
    const inserted: Values = new Map([...values].map(([name, value]) => [name, value === null ? null : `excluded.${quoteName(name)}`]))
    return {
      alias: 'excluded',
      source: `SELECT ${excluded.join(', ')}, row_number() OVER () AS ${quoteName(ROW)} FROM ${from}`,
      on: this.#table.key.map((column) => `${this.#column(column)} = excluded.${quoteName(column)}`).join(' AND '),
      whens: [
        { when: { when: 'matched', condition: where, action: { kind: 'update', set } }, values: this.#assigned(set) },
        { when: { when: 'not matched', condition: null, action: { kind: 'insert', set: [] } }, values: inserted },
      ],
    }
  }

  merge({ alias, source, on, whens }: MergePlan): ChangesSelect {
    const named = `${quoteName(SOURCE)} AS ${quoteName(alias)}`
    const ctes = [`${quoteName(SOURCE)} AS MATERIALIZED (${source})`]
    if (whens.some(({ when }) => when.when === 'not matched'))
      ctes.push(
        `${quoteName(HITS)} AS MATERIALIZED (SELECT ${quoteName(alias)}.${quoteName(ROW)} FROM ${this.#from} JOIN ${named} ON (${on}))`,
      )
    const from: Readonly<Record<When['when'], string>> = {
      matched: ` FROM ${this.#from} JOIN ${named} ON (${on})`,
      'not matched': ` FROM ${named} ANTI JOIN ${quoteName(HITS)} AS ${quoteName(HITS)} ON ${quoteName(alias)}.${quoteName(ROW)} = ${quoteName(HITS)}.${quoteName(ROW)}`,
      'not matched by source': ` FROM ${this.#from} ANTI JOIN ${named} ON (${on})`,
    }
    for (const [index, { when, values }] of whens.entries()) {
      const { kind } = when.action
      const before = whens.slice(0, index).filter((other) => other.when.when === when.when)
      const own = when.condition === null ? [] : [`(${when.condition})`]
      const isFirst = [...before.map((other) => `NOT coalesce((${other.when.condition ?? 'true'}), false)`), ...own]
      const where = kind === 'nothing' ? [...isFirst, 'false'] : isFirst
      const branch = kind === 'insert values' ? 'insert' : kind === 'nothing' ? 'error' : kind
      const places = { hasTarget: when.when !== 'not matched' }
      this.#branch(branch, values, `${from[when.when]}${where.length === 0 ? '' : ` WHERE ${where.join(' AND ')}`}`, places)
    }
    return this.#finish({ onConflict: 'error', mayRepeat: true }, ctes)
  }

  /** A source in FROM, and what becomes of each column. */
  async #insertValues(statement: InsertStatement, source: Source): Promise<{ from: string; values: Values }> {
    const found =
      source.kind === 'values'
        ? null
        : await this.#describe.columns(`${withOf(statement.ctes)}SELECT * FROM (${source.query}) AS ${quoteName(SOURCE)}`)
    if (statement.byName && !found)
      throw new MillraceError('MR_SQL_STATEMENT', 'VALUES have no names', { fix: 'write INSERT INTO t BY NAME SELECT ... AS a' })
    const listed = statement.byName ? found! : (statement.columns ?? this.#table.shape.fields.map(({ name }) => name))
    const targets = listed.map((name) => this.#field(name))
    const twice = targets.find((field, index) => targets.indexOf(field) < index)
    if (twice) throw new MillraceError('MR_SQL_SYNTAX', `the column ${twice.name} stands twice in the list`, { fix: 'name it once' })
    const defaults = source.kind === 'values' ? source.defaults : []
    const given = targets.filter((_, index) => !defaults.includes(index))
    for (const width of source.kind === 'values' ? source.rows.map((row) => row.length) : [found!.length])
      if (width !== given.length || defaults.some((index) => index >= targets.length))
        throw wrongCount(this.#table, width + defaults.length, targets.length)
    const columns = given.map((_, index) => `v${index}`)
    const values = new Map(this.#table.shape.fields.map(({ name }): [string, string | null] => [name, null]))
    for (const [index, { name }] of given.entries()) values.set(name, `${quoteName(SOURCE)}.${columns[index]!}`)
    const query = source.kind === 'values' ? valuesOf(source.rows, given) : source.query
    return { from: `(${query}) AS ${quoteName(SOURCE)}${columns.length === 0 ? '' : `(${columns.join(', ')})`}`, values }
  }

  #checkConflictColumns({ conflictColumns }: InsertStatement): void {
    if (conflictColumns === null) return
    const { key, name } = this.#table
    if (conflictColumns.length === key.length && key.every((column) => conflictColumns.some((other) => sameName(other, column)))) return
    throw new MillraceError('MR_SQL_STATEMENT', `ON CONFLICT (${conflictColumns.join(', ')}) is not the key of ${name}`, {
      fix: key.length > 0 ? `write ON CONFLICT (${key.join(', ')})` : 'leave it out: it has no key',
    })
  }

  #assigned(set: readonly Assignment[]): Values {
    return new Map(set.map(({ column, value }) => [this.#field(column).name, value]))
  }

  #all(value: null): Values {
    return new Map(this.#table.shape.fields.map(({ name }) => [name, value]))
  }

  #field(name: string): Field {
    const { shape, name: table } = this.#table
    const field = shape.fields.find((candidate) => sameName(candidate.name, name))
    if (field) return field
    const columns = shape.fields.map((candidate) => candidate.name).join(', ')
    if (['_partition', '_offset', '_ingested_at'].includes(name.toLowerCase()))
      throw new MillraceError('MR_SQL_STATEMENT', `${name} is written by Millrace itself`, { fix: `columns that can be set: ${columns}` })
    throw new MillraceError('MR_SQL_UNKNOWN', `${table} has no column "${name}"`, { fix: `it has ${columns}` })
  }

  #branch(kind: Branch['kind'], given: Values, from: string, { hasTarget = kind !== 'insert', isDistinct = false } = {}): void {
    const { shape, key } = this.#table
    // A key is compared here, so its default is said here; other defaults are the scanner's.
    const values = new Map(
      [...given].map(([name, value]) => [
        name,
        value ?? (key.includes(name) && this.#field(name).default !== undefined ? defaultOf(this.#field(name)) : null),
      ]),
    )
    const old = key.map((column) => (!hasTarget ? `CAST(NULL AS ${toDuckType(this.#field(column).type)})` : this.#column(column)))
    const fresh = shape.fields.map(({ name, type }) => {
      const value =
        kind === 'delete' || kind === 'error' ? null : values.has(name) ? values.get(name)! : kind === 'insert' ? null : this.#column(name)
      return `CAST(${value === null ? 'NULL' : `(${value})`} AS ${toDuckType(type)})`
    })
    const columns = [String(this.#branches.length), ...old, ...fresh].map((value, index) => `${value} AS c${index}`)
    if (kind === 'insert' || (kind === 'update' && key.some((column) => values.has(column)))) this.#adding.push(this.#branches.length)
    this.#selects.push(`SELECT ${isDistinct ? 'DISTINCT ' : ''}${columns.join(', ')}${from}`)
    const isAbsent = ({ name }: Field): boolean =>
      kind === 'insert' ? (values.get(name) ?? null) === null : values.has(name) && values.get(name) === null
    this.#branches.push({ kind, absent: new Set(shape.fields.filter(isAbsent).map(({ name }) => name)) })
  }

  #finish(rest: Pick<ChangesSelect, 'onConflict' | 'mayRepeat'>, own: readonly string[] = []): ChangesSelect {
    const changes = this.#selects.join(' UNION ALL ')
    const ctes = [...(this.#statement.ctes === '' ? [] : [this.#statement.ctes.replace(/^with\s+/i, '')]), ...own]
    const withCtes = (list: readonly string[]): string => (list.length === 0 ? '' : `WITH ${list.join(', ')} `)
    const addsKeys = this.#table.key.length > 0 && this.#adding.length > 0
    const sql = addsKeys
      ? `${withCtes([...ctes, `${quoteName(CHANGES)} AS MATERIALIZED (${changes})`])}SELECT * FROM ${quoteName(CHANGES)} UNION ALL ${this.#collisions()}`
      : `${withCtes(ctes)}${changes}`
    return { sql, branches: this.#branches, addsKeys, ...rest }
  }

  /** Rows of the table with the key of a row that is added, or that gets another key. */
  #collisions(): string {
    const { key, shape } = this.#table
    const first = 1 + key.length
    const newKey = key.map((column) => `c${first + shape.fields.findIndex(({ name }) => name === column)}`)
    const match = key.map((column, index) => `${this.#column(column)} = n.${newKey[index]!}`).join(' AND ')
    const nothing = shape.fields.map(({ type }) => `CAST(NULL AS ${toDuckType(type)})`)
    return (
      `SELECT ${['-1', ...key.map((column) => this.#column(column)), ...nothing].join(', ')} FROM ${this.#from} ` +
      `SEMI JOIN (SELECT ${newKey.join(', ')} FROM ${quoteName(CHANGES)} WHERE c0 IN (${this.#adding.join(', ')})) AS n ON ${match}`
    )
  }
}

/** What a column is that no value is given for. */
function defaultOf({ default: text, type }: Field): string {
  if (text === undefined) return 'NULL'
  return type.kind === 'binary' ? `from_base64(${quoteText(text)})` : quoteText(text)
}

/** Each value has the type of its column, whatever the others of the column are written as. */
function valuesOf(rows: readonly (readonly string[])[], fields: readonly Field[]): string {
  // Rows without any value: one of defaults each.
  const row = (values: readonly string[]): string =>
    values.length === 0
      ? '(NULL)'
      : `(${values.map((value, index) => `CAST((${value}) AS ${toDuckType(fields[index]!.type)})`).join(', ')})`
  return `VALUES ${rows.map(row).join(', ')}`
}

const withOf = (ctes: string): string => (ctes === '' ? '' : `${ctes} `)
const whereOf = (where: string | null): string => (where === null ? '' : ` WHERE (${where})`)

const wrongCount = ({ name }: ChangedTable, given: number, wanted: number): MillraceError =>
  new MillraceError('MR_SQL_TYPE', `${wanted} columns of ${name} are to be set and there are ${given} values`, {
    fix: 'list the columns: INSERT INTO table (a, b) ...',
  })
