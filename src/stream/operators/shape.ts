// The shapes between stages: what a logical operator gives, as columns with the types that lanes need.
import type { ValueType } from '../../engine/algebra/expression.ts'
import {
  type FrameRelation,
  type GroupRelation,
  inputsOf,
  type JoinRelation,
  type LagRelation,
  type NamedExpression,
  type Relation,
  type TopRelation,
  type UnnestRelation,
} from '../../engine/algebra/relation.ts'
import { isBoundName } from '../../engine/algebra/source.ts'
import type { Field, Shape } from '../../schema/type.ts'
import { storedType } from '../expression/lane.ts'

const field = (name: string, type: ValueType, optional = true): Field => ({ name, type: storedType(type), optional })

const BOUNDS: readonly Field[] = [field('window_start', { kind: 'timestamp' }, false), field('window_end', { kind: 'timestamp' }, false)]

/** Window bounds, keys, aggregates. */
export const groupShape = ({ window, keys, aggregates }: Pick<GroupRelation, 'window' | 'keys' | 'aggregates'>): Shape => ({
  fields: [
    ...(window ? BOUNDS : []),
    ...keys.map(({ name, value }) => field(name, value.type)),
    ...aggregates.map(({ name, type }) => field(name, type)),
  ],
})

/** The bounds hide columns of their names. */
const boundedShape = ({ fields }: Shape): Shape => ({ fields: [...fields.filter(({ name }) => !isBoundName(name)), ...BOUNDS] })

/** A top gives the bounds of its window. */
export const isBounded = ({ window }: Pick<TopRelation, 'window'>): boolean => window !== null && window.kind !== 'instant'

/** The input, window bounds, the rank. */
export const topShape = ({ window, name }: Pick<TopRelation, 'window' | 'name'>, input: Shape): Shape => ({
  fields: [...(isBounded({ window }) ? boundedShape(input) : input).fields, field(name, { kind: 'long' }, false)],
})

export const projectShape = (columns: readonly NamedExpression[]): Shape => ({
  fields: columns.map(({ name, value }) => field(name, value.type)),
})

/** All columns of the left, then all of the right. */
export function joinShape(kind: JoinRelation['kind'], left: Shape, right: Shape): Shape {
  const filled = (shape: Shape, mayLack: boolean): readonly Field[] =>
    mayLack ? shape.fields.map((own) => ({ ...own, optional: true })) : shape.fields
  return { fields: [...filled(left, kind === 'right' || kind === 'full'), ...filled(right, kind === 'left' || kind === 'full')] }
}

export const lagShape = ({ columns }: Pick<LagRelation, 'columns'>, input: Shape): Shape => ({
  fields: [...input.fields, ...columns.map(({ name, value }) => field(name, value.type))],
})

export const frameShape = ({ aggregates }: Pick<FrameRelation, 'aggregates'>, input: Shape): Shape => ({
  fields: [...input.fields, ...aggregates.map(({ name, type }) => field(name, type))],
})

export const unnestShape = ({ item, type, position }: Pick<UnnestRelation, 'item' | 'type' | 'position'>, input: Shape): Shape => ({
  fields: [...input.fields, field(item, type), field(position, { kind: 'long' })],
})

/** Of one operator over the columns of its inputs. */
export function shapeOver(relation: Relation, inputs: readonly Shape[]): Shape {
  switch (relation.op) {
    case 'project':
      return projectShape(relation.columns)
    case 'group':
      return groupShape(relation)
    case 'top':
      return topShape(relation, inputs[0]!)
    case 'compute':
      return { fields: [...inputs[0]!.fields, ...projectShape(relation.columns).fields] }
    case 'unnest':
      return unnestShape(relation, inputs[0]!)
    case 'expand':
      return boundedShape(inputs[0]!)
    case 'join':
      return joinShape(relation.kind, inputs[0]!, inputs[1]!)
    case 'lag':
      return lagShape(relation, inputs[0]!)
    case 'frame':
      return frameShape(relation, inputs[0]!)
    default:
      return inputs[0]!
  }
}

/** `shapeOf`: columns of the streams. */
export const shapeOfRelation = (relation: Relation, shapeOf: (stream: string) => Shape): Shape =>
  relation.op === 'scan'
    ? shapeOf(relation.stream)
    : shapeOver(
        relation,
        inputsOf(relation).map((input) => shapeOfRelation(input, shapeOf)),
      )
