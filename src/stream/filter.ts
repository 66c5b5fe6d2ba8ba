// Filters of live models over column batches, with SQL's three-valued logic: a row passes when the predicate is true.
import type { LivePredicate, LiveValue } from '../engine/live-query.ts'
import { type ColumnBatch, valueAt } from '../schema/batch.ts'
import type { Shape, Type } from '../schema/type.ts'

type Truth = boolean | null
type Test = (batch: ColumnBatch, row: number) => Truth

export function compileFilter(predicate: LivePredicate, shape: Shape): (batch: ColumnBatch, row: number) => boolean {
  const test = compile(predicate, shape)
  return (batch, row) => test(batch, row) === true
}

function compile(predicate: LivePredicate, shape: Shape): Test {
  switch (predicate.kind) {
    case 'and':
    case 'or': {
      const tests = predicate.of.map((inner) => compile(inner, shape))
      const decisive = predicate.kind === 'or'
      return (batch, row) => combine(tests, decisive, batch, row)
    }
    case 'not': {
      const test = compile(predicate.of, shape)
      return (batch, row) => {
        const truth = test(batch, row)
        return truth === null ? null : !truth
      }
    }
    case 'null': {
      const index = indexOf(shape, predicate.column)
      return (batch, row) => (valueAt(batch, index, row) === null) !== predicate.negated
    }
    case 'in': {
      const tests = predicate.values.map((value) => compile({ kind: 'compare', column: predicate.column, op: '=', value }, shape))
      return (batch, row) => combine(tests, true, batch, row)
    }
    case 'compare': {
      const index = indexOf(shape, predicate.column)
      const type = shape.fields[index]!.type
      const wanted = comparable(type, predicate.value)
      return (batch, row) => {
        const value = valueAt(batch, index, row)
        if (value === null) return null
        return decide(predicate.op, order(type, value as LiveValue | bigint, wanted))
      }
    }
  }
}

function combine(tests: readonly Test[], decisive: boolean, batch: ColumnBatch, row: number): Truth {
  let result: Truth = !decisive
  for (const test of tests) {
    const truth = test(batch, row)
    if (truth === decisive) return decisive
    if (truth === null) result = null
  }
  return result
}

const indexOf = (shape: Shape, column: string): number => shape.fields.findIndex((field) => field.name === column)

/** The constant in the column's own domain: unscaled for decimals. */
function comparable(type: Type, value: LiveValue): LiveValue {
  return type.kind === 'decimal' && typeof value === 'number' ? value * 10 ** type.scale : value
}

function order(type: Type, value: LiveValue | bigint, wanted: LiveValue): number {
  if (typeof value === 'string' && typeof wanted === 'string') return Buffer.compare(Buffer.from(value), Buffer.from(wanted))
  if (typeof value === 'string' && type.kind === 'decimal') return Number(value) - Number(wanted)
  if (typeof value === 'boolean') return Number(value) - Number(wanted)
  return value < wanted ? -1 : value > wanted ? 1 : 0
}

function decide(op: '=' | '<>' | '<' | '<=' | '>' | '>=', sign: number): boolean {
  switch (op) {
    case '=':
      return sign === 0
    case '<>':
      return sign !== 0
    case '<':
      return sign < 0
    case '<=':
      return sign <= 0
    case '>':
      return sign > 0
    case '>=':
      return sign >= 0
  }
}
