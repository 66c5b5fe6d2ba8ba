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

/** `stream`: columns of the scan. */
export function shapeOfRelation(relation: Relation, stream: Shape): Shape {
  switch (relation.op) {
    case 'scan':
      return stream
    case 'filter':
      return shapeOfRelation(relation.input, stream)
    case 'project':
      return projectShape(relation.columns)
    case 'group':
      return groupShape(relation)
    case 'top':
      return topShape(relation, shapeOfRelation(relation.input, stream))
  }
}
