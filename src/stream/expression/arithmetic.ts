// JavaScript of arithmetic: what leaves the range of its type is an error, as in DuckDB, never a wrapped or rounded number.
// Operands have one type already; decimals are whole numbers of one scale, except in products.
import type { ConstantExpression, ValueType } from '../../engine/algebra/expression.ts'
import { type CallGenerator, type Emitter, representationOf } from './emitter.ts'

const MAX_SAFE = 9007199254740991

/** Emits the check that `value`, a variable, is within its type; numbers beyond 2^53 make the batch start over with bigint. */
export function checkRange(emitter: Emitter, type: ValueType, value: string, onError = `R.overflow('${type.kind}')`): void {
  if (type.kind === 'int') emitter.emit(`if (${value} > 2147483647 || ${value} < -2147483648) ${onError}`)
  else if (representationOf(type) === 'exact') {
    if (!emitter.isBig) emitter.emit(`if (${value} > ${MAX_SAFE} || ${value} < -${MAX_SAFE}) throw R.UNSAFE`)
    const limit = limitOf(type)
    if (!emitter.isBig && limit.above > BigInt(MAX_SAFE)) return
    emitter.emit(`if (${value} >= ${emitter.exact(limit.above)} || ${value} <= ${emitter.exact(limit.below)}) ${onError}`)
  }
}

/** Bounds that a value must lie between. */
function limitOf(type: ValueType): { below: bigint; above: bigint } {
  if (type.kind === 'decimal') return { below: -(10n ** BigInt(type.precision)), above: 10n ** BigInt(type.precision) }
  if (type.kind === 'huge') return { below: -(1n << 127n) - 1n, above: 1n << 127n }
  return { below: -(1n << 63n) - 1n, above: 1n << 63n }
}

/** Emits `variable = text`, checked. */
export function checked(emitter: Emitter, type: ValueType, text: string): string {
  const value = emitter.variable(emitter.zero(representationOf(type)))
  emitter.emit(`${value} = ${text}`)
  checkRange(emitter, type, value)
  return value
}

const isReal = (type: ValueType): boolean => type.kind === 'double' || type.kind === 'float'

const rounded = (type: ValueType, text: string): string => (type.kind === 'float' ? `Math.fround(${text})` : text)

const plain =
  (sign: '+' | '-' | '*'): CallGenerator =>
  (emitter, { of, type }) =>
    emitter.strict(of, type, ([a, b]) => {
      if (isReal(type)) return rounded(type, `${a} ${sign} ${b}`)
      // A product may be -0, which no integer is.
      return checked(
        emitter,
        type,
        sign === '*' && !emitter.isBig ? `${a} * ${b} + 0` : sign === '*' && type.kind === 'int' ? `${a} * ${b} + 0` : `${a} ${sign} ${b}`,
      )
    })

const zeroOf = (emitter: Emitter, type: ValueType): string => emitter.zero(representationOf(type))

const isBigInt = (emitter: Emitter, type: ValueType): boolean => emitter.isBig && representationOf(type) === 'exact'

/** By zero it is null, but for doubles; the least integer by -1 is an error, as its quotient is. */
const modulo: CallGenerator = (emitter, { of, type }) => {
  if (isReal(type)) return emitter.strict(of, type, ([a, b]) => `${a} % ${b}`)
  return emitter.strict(
    of,
    type,
    ([a, b], setNull) => {
      const value = emitter.variable(zeroOf(emitter, type))
      const isBig = isBigInt(emitter, type)
      const least = type.kind === 'int' ? '-2147483648' : type.kind === 'long' && isBig ? '-9223372036854775808n' : null
      if (least) emitter.emit(`if (${a} === ${least} && ${b} === ${isBig ? '-1n' : '-1'}) R.overflow('${type.kind}')`)
      emitter.emit(`if (${b} === ${isBig ? '0n' : '0'}) ${setNull}; else ${value} = ${a} % ${b}${isBig ? '' : ' + 0'}`)
      return value
    },
    true,
  )
}

const divideWhole: CallGenerator = (emitter, { of, type }) =>
  emitter.strict(
    of,
    type,
    ([a, b], setNull) => {
      const value = emitter.variable(zeroOf(emitter, type))
      const isBig = isBigInt(emitter, type)
      emitter.emit(
        `if (${b} === ${isBig ? '0n' : '0'}) ${setNull}; else ${value} = ${isBig ? `${a} / ${b}` : `(${a} - (${a} % ${b})) / ${b} + 0`}`,
      )
      checkRange(emitter, type, value)
      return value
    },
    true,
  )

const negate: CallGenerator = (emitter, { of, type }) =>
  emitter.strict(of, type, ([a]) => (isReal(type) ? `-${a}` : checked(emitter, type, isBigInt(emitter, type) ? `-${a}` : `0 - ${a}`)))

const absolute: CallGenerator = (emitter, { of, type }) =>
  emitter.strict(of, type, ([a]) => {
    if (isReal(type)) return `Math.abs(${a})`
    return checked(emitter, type, isBigInt(emitter, type) ? `${a} < 0n ? -${a} : ${a}` : `Math.abs(${a})`)
  })

/** floor, ceil, trunc and round of doubles, and of decimals to whole numbers. */
const toWhole =
  (name: 'floor' | 'ceil' | 'trunc' | 'round'): CallGenerator =>
  (emitter, { of, type }) => {
    const from = of[0]!.type
    if (from.kind !== 'decimal') return emitter.strict(of, type, ([a]) => (name === 'round' ? `R.roundAway(${a})` : `Math.${name}(${a})`))
    return emitter.strict(of, type, ([a]) => checked(emitter, type, dropDigits(emitter, name, a!, from.scale)))
  }

/** `value` divided by 10^digits, rounded as told; exact for numbers up to 2^53. */
export function dropDigits(emitter: Emitter, name: 'floor' | 'ceil' | 'trunc' | 'round', value: string, digits: number): string {
  if (digits === 0) return value
  const power = 10n ** BigInt(digits)
  if (emitter.isBig) return `R.${name}Big(${value}, ${power}n)`
  return power > BigInt(MAX_SAFE) * 2n ? `R.${name}Tiny(${value})` : `R.${name}Safe(${value}, ${power})`
}

const roundTo: CallGenerator = (emitter, { of, type }) => {
  const value = of[0]!
  const digits = Number((of[1] as ConstantExpression).value)
  const from = value.type
  if (from.kind === 'decimal' && type.kind === 'decimal')
    return emitter.strict([value], type, ([a]) => checked(emitter, type, dropDigits(emitter, 'round', a!, from.scale - type.scale)))
  return emitter.strict([value], type, ([a]) => `R.roundTo(${a}, ${10 ** digits})`)
}

export const arithmetic: Readonly<Record<string, CallGenerator>> = {
  '+': plain('+'),
  '-': plain('-'),
  '*': plain('*'),
  '/': (emitter, { of, type }) => emitter.strict(of, type, ([a, b]) => rounded(type, `${a} / ${b}`)),
  '%': modulo,
  '//': divideWhole,
  neg: negate,
  abs: absolute,
  floor: toWhole('floor'),
  ceil: toWhole('ceil'),
  ceiling: toWhole('ceil'),
  trunc: toWhole('trunc'),
  round: toWhole('round'),
  round_to: roundTo,
  isnan: (emitter, { of, type }) => emitter.strict(of, type, ([a]) => `(${a} !== ${a}) | 0`),
  isinf: (emitter, { of, type }) => emitter.strict(of, type, ([a]) => `(${a} === Infinity || ${a} === -Infinity) | 0`),
}
