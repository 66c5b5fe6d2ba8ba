// The shapes between stages: what a logical operator gives, as columns with the types that lanes need.
import type { ValueType } from '../../engine/algebra/expression.ts'
import type { GroupRelation, NamedExpression, Relation, TopRelation } from '../../engine/algebra/relation.ts'
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

/** The input, window bounds, the rank. */
export const topShape = ({ window, name }: Pick<TopRelation, 'window' | 'name'>, input: Shape): Shape => ({
  fields: [...input.fields, ...(window ? BOUNDS : []), field(name, { kind: 'long' }, false)],
})

export const projectShape = (columns: readonly NamedExpression[]): Shape => ({
  fields: columns.map(({ name, value }) => field(name, value.type)),
})

/** Of one operator over the columns of its input. */
export function shapeOver(relation: Relation, input: Shape): Shape {
  switch (relation.op) {
    case 'project':
      return projectShape(relation.columns)
    case 'group':
      return groupShape(relation)
    case 'top':
      return topShape(relation, input)
    default:
      return input
  }
}

/** `stream`: columns of the scan. */
export const shapeOfRelation = (relation: Relation, stream: Shape): Shape =>
  relation.op === 'scan' ? stream : shapeOver(relation, shapeOfRelation(relation.input, stream))
