// Filters of live models and row checks over column batches, with SQL's three-valued logic: a row passes when the predicate
// is true. Constants are brought into the column's own domain once; comparisons are those of DuckDB (NaN is the greatest).
import { MillraceError } from '../core/errors.ts'
import type { LivePredicate, LiveValue } from '../engine/live-query.ts'
import { type ColumnBatch, valueAt } from '../schema/batch.ts'
import { daysOf } from '../schema/calendar.ts'
import { Decimal } from '../schema/decimal.ts'
import { Instant } from '../schema/instant.ts'
import { printType, type Shape, type Type } from '../schema/type.ts'

type Truth = boolean | null
type Test = (batch: ColumnBatch, row: number) => Truth

/** @throws MR_PLAN_LIVE_SHAPE for a constant that is no value of the column's type. */
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
      const compareTo = comparison(shape.fields[index]!.type, predicate.value)
      return (batch, row) => {
        const value = valueAt(batch, index, row)
        return value === null ? null : decide(predicate.op, compareTo(value))
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

type Held = Exclude<ReturnType<typeof valueAt>, null>
/** Below 0, 0 or above 0: the value before, at or behind the constant. */
type Comparison = (value: Held) => number

function comparison(type: Type, wanted: LiveValue): Comparison {
  switch (type.kind) {
    case 'boolean': {
      const flag = Number(wanted === true || wanted === 1 || String(wanted).toLowerCase() === 'true')
      return (value) => Number(value) - flag
    }
    case 'int':
    case 'double':
    case 'float': {
      const number = numberOf(type, wanted)
      const constant = type.kind === 'float' ? Math.fround(number) : number
      return (value) => compareNumbers(value as number, constant)
    }
    case 'long':
      return exactly(0, wanted, type)
    case 'decimal':
      return exactly(type.scale, wanted, type)
    case 'date': {
      const days = daysIn(type, wanted)
      return (value) => (value as number) - days
    }
    case 'time':
    case 'timestamp': {
      const micros = type.kind === 'time' ? timeMicros(type, wanted) : instantMicros(type, wanted)
      return (value) => compareBig(value as bigint, micros)
    }
    default: {
      const bytes = Buffer.from(type.kind === 'uuid' ? String(wanted).toLowerCase() : String(wanted))
      return (value) => Buffer.compare(typeof value === 'string' ? Buffer.from(value) : (value as Uint8Array), bytes)
    }
  }
}

/** Integers and decimals are compared digit by digit, never as doubles; a constant may have more digits than the column. */
function exactly(scale: number, wanted: LiveValue, type: Type): Comparison {
  let constant: Decimal
  try {
    constant = Decimal.from(String(typeof wanted === 'boolean' ? Number(wanted) : wanted))
  } catch {
    throw unfit(type, wanted)
  }
  const shared = Math.max(scale, constant.scale)
  const factor = 10n ** BigInt(shared - scale)
  const target = constant.unscaled * 10n ** BigInt(shared - constant.scale)
  return (value) => {
    const unscaled = typeof value === 'bigint' ? value : Decimal.from(value as string).unscaled
    return compareBig(unscaled * factor, target)
  }
}

const compareBig = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0)

function compareNumbers(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  return a < b ? -1 : a > b ? 1 : 0
}

const unfit = (type: Type, wanted: LiveValue): MillraceError =>
  new MillraceError('MR_PLAN_LIVE_SHAPE', `"${wanted}" is no ${printType(type)}`, { fix: 'write a constant of the type of its column' })

function numberOf(type: Type, wanted: LiveValue): number {
  const number = Number(wanted)
  if (Number.isNaN(number) && String(wanted).toLowerCase() !== 'nan') throw unfit(type, wanted)
  return number
}

function daysIn(type: Type, wanted: LiveValue): number {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(String(wanted))
  if (!match) throw unfit(type, wanted)
  return daysOf(Number(match[1]), Number(match[2]), Number(match[3]))
}

function timeMicros(type: Type, wanted: LiveValue): bigint {
  const match = /^(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?$/.exec(String(wanted))
  if (!match) throw unfit(type, wanted)
  const seconds = Number(match[1]) * 3_600 + Number(match[2]) * 60 + Number(match[3] ?? 0)
  return BigInt(seconds) * 1_000_000n + BigInt((match[4] ?? '').padEnd(6, '0'))
}

function instantMicros(type: Type, wanted: LiveValue): bigint {
  const text = String(wanted)
  try {
    return BigInt(Instant.fromIso(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text).epochMicros)
  } catch {
    throw unfit(type, wanted)
  }
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
