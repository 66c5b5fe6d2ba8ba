// What stands in a FROM clause and what names mean over it: rows with named columns, which of them are times that follow the
// watermark and how closely, and a window that the SELECT above still has to group by.
import { MillraceError } from '../../core/errors.ts'
import type { Field, Shape } from '../../schema/type.ts'
import { type Node, nodes } from '../ast.ts'
import { valueTypeOf } from './coerce.ts'
import {
  type ColumnExpression,
  call,
  columnsIn,
  type Expression,
  type PartExpression,
  sameExpression,
  TIMESTAMP,
  type ValueType,
} from './expression.ts'
import { refuse } from './refuse.ts'
import type { LiveQuery, NamedExpression, Relation, Window } from './relation.ts'

export const isNestedValue = (type: ValueType): boolean => type.kind === 'struct' || type.kind === 'list' || type.kind === 'map'

/** A stream's columns, with the system columns. */
export type StreamShape = Shape & {
  /** Its event time; where it is not given, any timestamp passes for one. */
  readonly time?: string
  /** Columns of which the first row counts, where the stream says that rows are unique by them. */
  readonly unique?: readonly string[]
  /** Of a table: the columns of its key. Rows are looked up in it as it was when they came. */
  readonly tableKey?: readonly string[]
}

/** Columns that carry the key of rows that can go where no column of the SELECT does. */
export const hiddenKey = (at: number): string => `#key${at}`
/** When a row came, where a subquery hands it on unasked to a lookup in a table. */
export const ARRIVAL = '#arrival'
/** The place of an element in its list, where nobody asks for it: it puts the rows of one list in order. */
export const POSITION = '#position'
export const isHidden = (name: string): boolean => name.startsWith('#key') || name === ARRIVAL || name === POSITION

/** What puts rows of one stream in order. PROTOCOL rule 10. */
export const LOG_ORDER = ['_ingested_at', '_partition', '_offset']

export type ShapeOf = (stream: string) => StreamShape | undefined

/** A column as the query names it and as the relation has it. */
export interface NamedColumn {
  readonly from: string
  readonly name: string
  readonly column: ColumnExpression
  /** Of a join with USING: the other side's column of that name, which only `side.name` means. */
  readonly isQualified?: true
}

/** Rows of a part of the query. */
export interface Rows {
  readonly relation: Relation
  readonly columns: readonly NamedColumn[]
  /** Columns, by their names in the relation, that follow the watermark, and how far they may lie behind it. Microseconds. */
  readonly times: ReadonlyMap<string, number>
  readonly result: LiveQuery['result']
  /** Of a keyed result, by names in the relation: those of its columns that are part of the key. */
  readonly key: readonly string[]
  /** Of a keyed result: rows that are replaced can be taken back, so that groups over them follow. */
  readonly isRetracted: boolean
  /** Of rows that can go, which are keyed: the columns by which they do, as the relation has them; `columns` may lack them. */
  readonly rowKey?: readonly ColumnExpression[] | undefined
  /** A condition takes rows away again that are replaced by their key. */
  readonly loses?: true | undefined
  /** By names in the relation: see `StreamShape`. */
  readonly unique: readonly string[]
  /** Of rows that are replaced: the same rows, each once, when they are replaced no more. */
  readonly final?: Rows | null | undefined
  /** Rows of one stream: the log puts them in order. */
  readonly isLogged: boolean
  /** Of rows that come out as they come in: the column, by its name in the relation, that says when that was. */
  readonly arrival?: string | undefined
  /** Of a table as a whole: its name and the columns of its key, by their names in the relation. */
  readonly table?: { readonly name: string; readonly key: readonly string[] } | undefined
}

/** The rows as they are when nothing replaces them any more, where there are such. */
export const asFinal = (rows: Rows): Rows => rows.final ?? rows

export interface Source extends Rows {
  readonly window: Window | null
  has(name: string): boolean
  /** Exactly one column is called so, or a member of one. */
  knows(path: readonly string[]): boolean
  /** `known`: columns, by the relation's names, that are not null here. */
  column(names: readonly string[], node: Node, known?: ReadonlySet<string>): Expression
  /** A column of any type, to be handed on and nothing else; undefined where there is none, or several. */
  lookUp(names: readonly string[]): NamedColumn | undefined
  /** A member of a column that is a struct, of any type: `address.geo.lat`; undefined where there is none. */
  member(names: readonly string[]): PartExpression | undefined
  /** `isWhole`: nested columns too. `read`: what REPLACE puts in the place of a column. */
  star(node: Node, isWhole: boolean, read: (node: Node) => Expression): NamedExpression[]
}

const boundOf = (name: string): ColumnExpression => ({ op: 'column', name, type: TIMESTAMP, optional: false })

/** Names of relations are one whatever their case, as in DuckDB. */
const isCalled = (from: string, path: readonly string[]): boolean => {
  const [name, qualifier] = [from.toLowerCase(), path.slice(0, -1).join('.').toLowerCase()]
  return name === qualifier || name.split('.').at(-1) === qualifier
}

/** `* EXCLUDE (...) REPLACE (...) RENAME (...)`. */
function changesOf(star: Node) {
  if (star['columns'] === true) refuse('COLUMNS(...)', star, 'name the columns, or write * EXCLUDE (...)')
  const excluded = [...(star['exclude_list'] as string[]), ...nodes(star['qualified_exclude_list']).map(({ column }) => String(column))]
  const names = new Set(excluded.map((name) => name.toLowerCase()))
  const entries = (list: unknown) => list as readonly { key: string | { column: string }; value: unknown }[]
  const keyed = <T>(list: unknown) =>
    new Map(entries(list).map(({ key, value }) => [(typeof key === 'string' ? key : key.column).toLowerCase(), value as T]))
  return {
    isExcluded: (name: string): boolean => names.has(name.toLowerCase()),
    replaced: keyed<Node>(star['replace_list']),
    renamed: keyed<string>(star['rename_list']),
  }
}

const AS_PART =
  'leave it out, or read a part of it, or give on the rows of the stream as they come, or compute it in a model that is not live'

const BOUNDS: readonly string[] = ['window_start', 'window_end']

export const isBoundName = (name: string): boolean => BOUNDS.includes(name)

/** Start or end of a window, as the columns of its rows. */
export const isBound = (value: Expression): boolean => BOUNDS.some((name) => sameExpression(boundOf(name), value))

/** `window`: what the SELECT above has to group or to number by. */
export function sourceOf(rows: Rows, window: Window | null): Source {
  const froms = [...new Set(rows.columns.map(({ from }) => from))]
  // The columns of a window stand before others of their name.
  const own = window ? rows.columns.filter(({ name }) => !isBoundName(name)) : rows.columns
  const columns = window ? [...own, ...BOUNDS.map((name): NamedColumn => ({ from: froms[0]!, name, column: boundOf(name) }))] : own
  const named = (name: string, from?: string): NamedColumn[] => {
    const own = columns.filter((column) => (from === undefined ? !column.isQualified : column.from === from))
    const exact = own.filter((column) => column.name === name)
    return exact.length > 0 ? exact : own.filter((column) => column.name.toLowerCase() === name.toLowerCase())
  }
  const flat = (found: NamedColumn, node: Node): NamedColumn => {
    if (!isNestedValue(found.column.type)) return found
    return refuse(`the column "${found.name}", which is a ${found.column.type.kind},`, node, AS_PART)
  }
  const find = (path: readonly string[], node: Node): NamedColumn => {
    const name = path.at(-1)!
    const from = path.length > 1 ? froms.find((one) => isCalled(one, path)) : undefined
    if (path.length > 1 && from === undefined) {
      if (member(path)) readMember(path, node)
      for (const whole of named(path[0]!)) flat(withMember(whole, path), node)
      return refuse(`"${path.join('.')}"`, node)
    }
    const [found, other] = named(name, from)
    if (!found)
      throw new MillraceError('MR_PLAN_UNKNOWN', `the stream has no column "${name}"`, {
        fix: `it has ${columns.flatMap(({ name: known }) => (isHidden(known) ? [] : [known])).join(', ')}`,
      })
    return other ? refuse(`"${name}", which several relations have,`, node, `write ${found.from}.${name} or ${other.from}.${name}`) : found
  }
  const lookUp: Source['lookUp'] = (path) => {
    const from = path.length > 1 ? froms.find((one) => isCalled(one, path)) : undefined
    if (path.length > 1 && from === undefined) return undefined
    const [found, other] = named(path.at(-1)!, from)
    return other ? undefined : found
  }
  const member: Source['member'] = (path) => {
    for (let length = path.length - 1; length > 0; length--) {
      const column = lookUp(path.slice(0, length))?.column
      if (column) return memberOf(column, path.slice(length))
    }
    return undefined
  }
  /** `address.*`. */
  const membersOf = (name: string, node: Node): readonly { readonly name: string; readonly value: () => Expression }[] => {
    const { type } = lookUp([name])?.column ?? {}
    if (type?.kind !== 'struct')
      throw new MillraceError('MR_PLAN_UNKNOWN', `there is no "${name}" in FROM`, { fix: `there is ${froms.join(', ')}` })
    return type.fields.map((field) => ({ name: field.name, value: () => readMember([name, field.name], node) }))
  }
  const readMember = (path: readonly string[], node: Node): Expression => {
    const part = member(path)!
    return isNestedValue(part.type) ? refuse(`"${path.join('.')}", which is a ${part.type.kind},`, node, AS_PART) : part
  }
  return {
    ...rows,
    columns,
    window,
    lookUp,
    member,
    has: (name) => named(name).length > 0,
    knows: (path) => {
      const from = path.length > 1 ? froms.find((one) => isCalled(one, path)) : undefined
      return ((path.length === 1 || from !== undefined) && named(path.at(-1)!, from).length === 1) || member(path) !== undefined
    },
    column: (path, node, known) => {
      const part = lookUp(path) ? undefined : member(path)
      if (part && !isNestedValue(part.type)) return part
      const { column } = flat(find(path, node), node)
      return known?.has(column.name) ? { ...column, optional: false } : column
    },
    star: (node, isWhole, read) => {
      const of = String(node['relation_name'] ?? '')
      const { isExcluded, replaced, renamed } = changesOf(node)
      const isFrom = (from: string): boolean => isCalled(from, [of, '*'])
      const all =
        of === '' || froms.some(isFrom)
          ? columns
              .filter(({ from, isQualified }) => (of === '' ? !isQualified : isFrom(from)))
              .map((own) => ({ name: own.name, value: () => (isWhole ? own : flat(own, node)).column }))
          : membersOf(of, node)
      return all
        .filter(({ name }) => !isExcluded(name) && !isHidden(name))
        .map(({ name, value }) => {
          const changed = replaced.get(name.toLowerCase())
          return { name: renamed.get(name.toLowerCase()) ?? name, value: changed ? read(changed) : value() }
        })
    },
  }
}

/** The column, whose member a query wants. @throws MR_PLAN_UNKNOWN where it is a struct and has none of the name. */
function withMember(whole: NamedColumn, path: readonly string[]): NamedColumn {
  const { type } = whole.column
  if (type.kind !== 'struct') return whole
  throw new MillraceError('MR_PLAN_UNKNOWN', `there is no "${path.join('.')}"`, {
    fix: `the struct "${whole.name}" has ${type.fields.map(({ name }) => name).join(', ')}`,
  })
}

/** Names of members are one whatever their case, as those of columns. */
function memberOf(column: ColumnExpression, names: readonly string[]): PartExpression | undefined {
  const path: string[] = []
  let [type, optional] = [column.type, column.optional]
  for (const name of names) {
    if (type.kind !== 'struct') return undefined
    const field: Field | undefined = type.fields.find((one) => one.name.toLowerCase() === name.toLowerCase())
    if (!field) return undefined
    path.push(field.name)
    type = valueTypeOf(field.type)
    optional ||= field.optional
  }
  return { op: 'part', of: column, path, type, optional }
}

/** What puts rows in order that nothing else does: the log, or else all of their columns but nested ones, which have no order. */
export function tiesOf({ columns, isLogged }: Rows): readonly ColumnExpression[] {
  const all = columns.map(({ column }) => column).filter(({ type }) => !isNestedValue(type))
  const byLog = LOG_ORDER.map((name) => all.find((column) => column.name === name))
  return isLogged && byLog.every((column) => column !== undefined) ? byLog : all
}

/** Where a tumbling window is known row by row, its bounds are expressions of the time. */
export function tumbleBounds(window: Extract<Window, { kind: 'tumble' }>): Record<'window_start' | 'window_end', Expression> {
  const width = { op: 'interval', months: 0, days: 0, micros: window.widthUs, type: { kind: 'interval' } } as const
  const start = call('bucket', [width, window.time], TIMESTAMP, false)
  return { window_start: start, window_end: call('add_interval', [start, width], TIMESTAMP, false) }
}

/** Columns that a condition of the WHERE clause keeps from being null: `x IS NOT NULL AND ...`. */
export function knownColumns(where: Node | null, column: (path: readonly string[], node: Node) => Expression): ReadonlySet<string> {
  if (!where) return new Set()
  if (where.class === 'CONJUNCTION' && where.type === 'CONJUNCTION_AND')
    return new Set(nodes(where['children']).flatMap((child) => [...knownColumns(child, column)]))
  const [child] = nodes(where['children'])
  if (where.type !== 'OPERATOR_IS_NOT_NULL' || child?.class !== 'COLUMN_REF') return new Set()
  return columnsIn([column(child['column_names'] as string[], child)])
}
