// From a logical operator with state to the one that runs, and the columns that it gives.
import type { Scratch } from '../../core/scratch.ts'
import { columnsIn } from '../../engine/algebra/expression.ts'
import type {
  FrameRelation,
  GroupRelation,
  JoinRelation,
  LagRelation,
  LatestRelation,
  Relation,
  TopRelation,
} from '../../engine/algebra/relation.ts'
import { isBoundName } from '../../engine/algebra/source.ts'
import { fieldOf, type Shape } from '../../schema/type.ts'
import { compileProjection } from '../expression/compile.ts'
import { BestRows } from './best-rows.ts'
import { Frame } from './frame.ts'
import { GroupTable, groupLayout } from './group-table.ts'
import { IntervalJoin } from './interval-join.ts'
import { Lag } from './lag.ts'
import { LatestJoin } from './latest-join.ts'
import { LookupJoin } from './lookup-join.ts'
import type { Operator } from './operator.ts'
import { PaneOperator } from './pane-operator.ts'
import { ReplacingGroup } from './replacing-group.ts'
import { Retracting, SIGN } from './retraction.ts'
import { SessionGroup } from './session-group.ts'
import { frameShape, groupShape, isBounded, joinShape, lagShape, topShape } from './shape.ts'
import { TableGroup } from './table-group.ts'
import { TableRows } from './table-rows.ts'
import { TableTop, windowTop } from './top.ts'
import { UnboundedJoin } from './unbounded-join.ts'

type Stateful = FrameRelation | GroupRelation | JoinRelation | LagRelation | LatestRelation | TopRelation

export const holdsState = (relation: Relation): relation is Stateful =>
  relation.op === 'frame' ||
  relation.op === 'group' ||
  relation.op === 'join' ||
  relation.op === 'lag' ||
  relation.op === 'latest' ||
  (relation.op === 'top' && relation.overGroups !== true)

interface Made {
  readonly operator: Operator
  readonly shape: Shape
}

/**
 * `later`: what reads its rows before another operator does; `isTakenBack`: a group over them wants to be told of rows that are
 * replaced; `scratch`: where state goes that has no room, null where none may.
 */
export function operatorOf(
  relation: Stateful,
  inputs: readonly Shape[],
  later: readonly Relation[],
  isTakenBack: boolean,
  scratch: Scratch | null,
): Made {
  switch (relation.op) {
    case 'group':
      return groupOperator(relation, inputs[0]!, isTakenBack, scratch)
    case 'join':
      return { operator: joinOperator(relation, inputs[0]!, inputs[1]!, scratch), shape: joinShape(relation.kind, inputs[0]!, inputs[1]!) }
    case 'lag':
      return { operator: new Lag(relation, inputs[0]!), shape: lagShape(relation, inputs[0]!) }
    case 'frame':
      return { operator: new Frame(relation, inputs[0]!), shape: frameShape(relation, inputs[0]!) }
    case 'latest':
      return { operator: new TableRows(relation.key, inputs[0]!, scratch), shape: { fields: [...inputs[0]!.fields, SIGN] } }
    case 'top':
      return topOperator(relation, later, inputs[0]!, scratch)
  }
}

function joinOperator(join: JoinRelation, left: Shape, right: Shape, scratch: Scratch | null): Operator {
  switch (join.on.kind) {
    case 'interval':
      return new IntervalJoin(join, join.on, left, right)
    case 'latest':
      return new LatestJoin(join, join.on, left, right)
    case 'lookup':
      return new LookupJoin(join, join.on, left, right)
    case 'unbounded':
      return new UnboundedJoin(join, join.on, left, right, scratch)
  }
}

function groupOperator(group: GroupRelation, input: Shape, isTakenBack: boolean, scratch: Scratch | null): Made {
  const { window, keys, aggregates } = group
  const shape = groupShape(group)
  if (window === null) {
    const operator = group.replaces ? new ReplacingGroup(group, input, scratch) : new TableGroup(group, input, scratch)
    if (!isTakenBack) return { operator, shape }
    return { operator: new Retracting(operator, shape, keys.length, scratch), shape: { fields: [...shape.fields, SIGN] } }
  }
  if (window.kind === 'session') return { operator: new SessionGroup(group, window, input, scratch), shape }
  const layout = groupLayout(keys, aggregates)
  const operator = new PaneOperator(
    window,
    compileProjection([window.time, ...layout.inputs], input),
    () => new GroupTable(layout),
    (table, bounds) => ({ shape, rows: table.size, columns: [...bounds(table.size), ...table.columns()] }),
    scratch,
  )
  return { operator, shape }
}

/** A top keeps only what is read after it. */
function topOperator(top: TopRelation, later: readonly Relation[], input: Shape, scratch: Scratch | null): Made {
  const { window } = top
  const read = readBy(later)
  const isHidden = (name: string): boolean => name === SIGN.name || (isBounded(top) && isBoundName(name))
  const kept = input.fields.map(({ name }) => name).filter((name) => !isHidden(name) && (read === null || read.has(name)))
  const shape = topShape(top, { fields: kept.map((name) => fieldOf(input, name)!) })
  if (top.input.op === 'latest') return { operator: new BestRows(top, input, kept, read?.has(top.name) ?? true, scratch), shape }
  const isWindowed = window !== null && window.kind !== 'session'
  return { operator: isWindowed ? windowTop(top, window, input, kept, scratch) : new TableTop(top, input, kept, scratch), shape }
}

/** Columns that the stages read up to the first projection; null where there is none, and all of them may be read. */
function readBy(later: readonly Relation[]): ReadonlySet<string> | null {
  const at = later.findIndex(({ op }) => op === 'project')
  if (at < 0) return null
  return columnsIn(
    later.slice(0, at + 1).flatMap((relation) => {
      if (relation.op === 'filter') return [relation.where]
      return relation.op === 'project' ? relation.columns.map(({ value }) => value) : []
    }),
  )
}
