// The FROM clause of a live model: one stream, plain or through tumble, hop or session, and what names mean over it.
import { MillraceError } from '../../core/errors.ts'
import { fieldOf, type Shape } from '../../schema/type.ts'
import type { Node } from '../ast.ts'
import { valueTypeOf } from './coerce.ts'
import { call, columnsIn, type Expression, type IntervalExpression, sameExpression, TIMESTAMP } from './expression.ts'
import { fixedMicros, readExpression, type Scope } from './read-expression.ts'
import { refuse } from './refuse.ts'
import type { NamedExpression, Relation, Window } from './relation.ts'

const nodes = (value: unknown): readonly Node[] => (Array.isArray(value) ? (value as Node[]) : [])

const NEAREST =
  'write FROM stream, tumble(stream, time, INTERVAL 1 MINUTE), hop(stream, time, slide, width) or session(stream, time, gap, key := column)'

export interface Source {
  readonly stream: string
  readonly relation: Relation
  readonly window: Window | null
  has(name: string): boolean
  /** `known`: columns that are not null here. */
  column(names: readonly string[], node: Node, known: ReadonlySet<string>): Expression
  /** Start or end of the window. */
  isBound(value: Expression): boolean
  /** @throws MR_PLAN_LIVE_SHAPE where the condition reads a window that is not known row by row. */
  checkBeforeWindow(condition: Expression, node: Node): void
  star(node: Node): NamedExpression[]
}

export function readSource(from: Node, shapeOf: (stream: string) => Shape | undefined): Source {
  if (from.type === 'BASE_TABLE') return sourceOf(from, relationName(from), shapeOf, () => null)
  if (from.type !== 'TABLE_FUNCTION') return refuse(from.type === 'JOIN' ? 'JOIN' : 'this FROM', from, NEAREST)
  const called = from['function'] as Node
  const name = String(called['function_name'])
  const [relation, ...rest] = nodes(called['children'])
  if (name !== 'tumble' && name !== 'hop' && name !== 'session') return refuse(`${name}(...)`, called, NEAREST)
  const stream = (relation?.['column_names'] as string[] | undefined)?.join('.')
  if (!stream) return refuse(`the first argument of ${name}, which must be a stream,`, relation ?? called, NEAREST)
  return sourceOf(from, stream, shapeOf, (scope) => readWindow(name, called, rest, scope))
}

function relationName(from: Node): string {
  const schema = String(from['schema_name'] ?? '')
  return schema === '' || schema === 'main' ? String(from['table_name']) : `${schema}.${String(from['table_name'])}`
}

function readWindow(kind: 'tumble' | 'hop' | 'session', called: Node, of: readonly Node[], scope: Scope): Window {
  const time = of[0] ? readExpression(of[0], scope) : refuse(`${kind} without a time`, called, NEAREST)
  if (time.op !== 'column') return refuse('a time that is no plain column', of[0], NEAREST)
  if (time.type.kind !== 'timestamp') return refuse(`the window over "${time.name}", which is no timestamp,`, of[0], NEAREST)
  if (of.length !== (kind === 'tumble' ? 2 : 3)) return refuse(`${kind} with ${of.length + 1} arguments`, called, NEAREST)
  const length = (node: Node): number => {
    const value = readExpression(node, scope)
    const micros = value.op === 'interval' ? fixedMicros(value as IntervalExpression) : undefined
    return micros !== undefined && micros > 0 ? micros : refuse('a length that is no INTERVAL of fixed length', node, NEAREST)
  }
  if (kind === 'tumble') return { kind, time, widthUs: length(of[1]!) }
  if (kind === 'session') return { kind, time, gapUs: length(of[1]!), by: readExpression(of[2]!, scope) }
  const [slideUs, widthUs] = [length(of[1]!), length(of[2]!)]
  if (widthUs % slideUs !== 0) return refuse('a width that is no multiple of the slide', of[2], NEAREST)
  return { kind, time, widthUs, slideUs }
}

function sourceOf(
  from: Node,
  stream: string,
  shapeOf: (stream: string) => Shape | undefined,
  windowOf: (scope: Scope) => Window | null,
): Source {
  const shape = shapeOf(stream)
  if (!shape) throw new MillraceError('MR_PLAN_UNKNOWN', `there is no stream "${stream}"`, { fix: 'read a stream of the project' })
  const names = new Set([from.alias || stream, stream])
  const plain = (name: string, known: ReadonlySet<string> = new Set()): Expression | undefined => {
    const field = fieldOf(shape, name)
    return field && { op: 'column', name: field.name, type: valueTypeOf(field.type), optional: field.optional && !known.has(field.name) }
  }
  const unknown = (name: string): never => {
    throw new MillraceError('MR_PLAN_UNKNOWN', `the stream has no column "${name}"`, {
      fix: `it has ${shape.fields.map((field) => field.name).join(', ')}`,
    })
  }
  const check = (path: readonly string[], node: Node): string => {
    if (path.length > 1 && !names.has(path.slice(0, -1).join('.'))) refuse(`"${path.join('.')}"`, node)
    return path.at(-1)!
  }
  const window = windowOf({
    column: (path, node) => plain(check(path, node)) ?? unknown(check(path, node)),
    special: () => undefined,
  })
  const bounds = window ? { window_start: boundOf(window, 'window_start'), window_end: boundOf(window, 'window_end') } : {}
  const boundNamed = (name: string): Expression | undefined =>
    Object.hasOwn(bounds, name) ? bounds[name as keyof typeof bounds] : undefined
  const isBound = (value: Expression): boolean => Object.values(bounds).some((bound) => sameExpression(bound as Expression, value))
  return {
    stream,
    relation: { op: 'scan', stream },
    window,
    has: (name) => fieldOf(shape, name) !== undefined || boundNamed(name) !== undefined,
    column: (path, node, known) => {
      const name = check(path, node)
      return boundNamed(name) ?? plain(name, known) ?? unknown(name)
    },
    isBound,
    checkBeforeWindow: (condition, node) => {
      if (window && [...columnsIn([condition])].some((name) => boundNamed(name) !== undefined))
        refuse('WHERE over window_start', node, 'write the condition over the time column, or in HAVING')
    },
    star: (node) => {
      for (const part of ['exclude_list', 'replace_list', 'rename_list']) if (nodes(node[part]).length > 0) refuse('* with changes', node)
      const own = shape.fields.map(({ name }) => ({ name, value: plain(name)! }))
      return [...own, ...Object.entries(bounds).map(([name, value]) => ({ name, value: value as Expression }))]
    },
  }
}

const boundOf = (_window: Window, name: string): Expression => ({ op: 'column', name, type: TIMESTAMP, optional: false })

/** Where a tumbling window is known row by row, its bounds are expressions of the time. */
export function tumbleBounds(window: Extract<Window, { kind: 'tumble' }>): Record<'window_start' | 'window_end', Expression> {
  const width = { op: 'interval', months: 0, days: 0, micros: window.widthUs, type: { kind: 'interval' } } as const
  const start = call('bucket', [width, window.time], TIMESTAMP, false)
  return { window_start: start, window_end: call('add_interval', [start, width], TIMESTAMP, false) }
}

/** Columns that a condition of the WHERE clause keeps from being null: `x IS NOT NULL AND ...`. */
export function knownColumns(where: Node | null): ReadonlySet<string> {
  if (!where) return new Set()
  if (where.class === 'CONJUNCTION' && where.type === 'CONJUNCTION_AND')
    return new Set(nodes(where['children']).flatMap((child) => [...knownColumns(child)]))
  const [child] = nodes(where['children'])
  if (where.type !== 'OPERATOR_IS_NOT_NULL' || child?.class !== 'COLUMN_REF') return new Set()
  return new Set([(child['column_names'] as string[]).at(-1)!])
}
