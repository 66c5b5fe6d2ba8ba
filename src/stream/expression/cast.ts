// JavaScript of casts between types, as DuckDB casts: doubles to integers round half to even, decimals half away from zero, and
// what does not fit is an error, or null with TRY_CAST.
import type { CastExpression, ValueType } from '../../engine/algebra/expression.ts'
import { checkRange, dropDigits } from './arithmetic.ts'
import { type Code, type Emitter, representationOf } from './emitter.ts'

export function castCode(emitter: Emitter, { of, type, try: isTry }: CastExpression): Code {
  const code = emitter.code(of)
  if (code.isNull === 'true') return { isNull: 'true', value: emitter.zero(representationOf(type)) }
  if (representationOf(of.type) === 'text' && representationOf(type) === 'text') return code
  if (type.kind === 'string' && isDigits(of.type) && !(emitter.isBig && representationOf(of.type) === 'exact'))
    return emitter.made(code.isNull, type, (buffer) => `${buffer}.addDecimal(${code.value}, ${scaleOf(of.type)}, ${wholeDigits(of.type)})`)
  return emitter.over(
    [code],
    type,
    (setNull) => {
      const onError = isTry ? setNull : `R.uncastable(${code.value}, '${of.type.kind}', '${type.kind}')`
      return castValue(emitter, code, of.type, type, onError)
    },
    isTry,
  )
}

const isWhole = (type: ValueType): boolean => type.kind === 'int' || type.kind === 'long' || type.kind === 'huge'
const isDigits = (type: ValueType): boolean => isWhole(type) || type.kind === 'decimal'
const isMicros = (type: ValueType): boolean => type.kind === 'timestamp' || type.kind === 'datetime'
const isReal = (type: ValueType): boolean => type.kind === 'double' || type.kind === 'float'

function castValue(emitter: Emitter, code: Code, from: ValueType, to: ValueType, onError: string): string {
  const { value } = code
  if (from.kind === to.kind && from.kind !== 'decimal') return value
  if (to.kind === 'string') return castToText(value, from)
  if (from.kind === 'string') return castText(emitter, code, to, onError)
  if (to.kind === 'boolean') return `(${value} !== ${emitter.isBig && representationOf(from) === 'exact' ? '0n' : '0'}) | 0`
  if (from.kind === 'boolean') return representationOf(to) === 'exact' && emitter.isBig ? `BigInt(${value})` : value
  if (isMicros(from) && isMicros(to)) return value
  if (isMicros(from) || from.kind === 'date') return castTime(emitter, value, from, to, onError)
  if (isReal(from)) return castReal(emitter, value, from, to, onError)
  return castExact(emitter, value, from, to, onError)
}

/** DuckDB writes no zero before the point of a decimal that has no digits there. */
const wholeDigits = (type: ValueType): number => (type.kind === 'decimal' && type.precision === type.scale ? 0 : 1)
const scaleOf = (type: ValueType): number => (type.kind === 'decimal' ? type.scale : 0)

/** Between integers, decimals and doubles; `value` is a whole number of units of its scale. */
function castExact(emitter: Emitter, value: string, from: ValueType, to: ValueType, onError: string): string {
  if (isReal(to)) {
    const number =
      representationOf(from) === 'exact' && emitter.isBig
        ? `R.bigToDouble(${value}, ${10n ** BigInt(scaleOf(from))}n)`
        : scaleOf(from) === 0
          ? value
          : `${value} / ${10 ** scaleOf(from)}`
    return to.kind === 'float' ? `Math.fround(${number})` : number
  }
  const wide = representationOf(from) === 'exact' || representationOf(to) === 'number' ? value : emitter.isBig ? `BigInt(${value})` : value
  const shift = scaleOf(to) - scaleOf(from)
  const isNarrow = emitter.isBig && representationOf(from) === 'number' && representationOf(to) === 'number'
  const shifted = isNarrow ? wide : shift >= 0 ? scaledUp(emitter, wide, shift) : dropDigits(emitter, 'round', wide, -shift)
  const result = emitter.variable(emitter.zero(emitter.isBig && representationOf(from) === 'exact' ? 'exact' : representationOf(to)))
  emitter.emit(`${result} = ${shifted}`)
  if (emitter.isBig && representationOf(from) === 'exact' && to.kind === 'int') {
    emitter.emit(`if (${result} > 2147483647n || ${result} < -2147483648n) ${onError}`)
    return `Number(${result})`
  }
  checkRange(emitter, to, result, onError)
  return result
}

const scaledUp = (emitter: Emitter, value: string, digits: number): string =>
  digits === 0 ? value : `${value} * ${emitter.exact(10n ** BigInt(digits))}`

function castReal(emitter: Emitter, value: string, from: ValueType, to: ValueType, onError: string): string {
  if (isReal(to)) {
    if (to.kind === 'double') return value
    const result = emitter.variable('0')
    emitter.emit(`${result} = Math.fround(${value})`)
    emitter.emit(`if ((${result} === Infinity || ${result} === -Infinity) && ${value} !== ${result}) ${onError}`)
    return result
  }
  const result = emitter.variable('0')
  // Half to even for integers, half away from zero for decimals; a float is scaled as a float.
  const scaled = `${value} * ${10 ** scaleOf(to)}`
  emitter.emit(
    `${result} = ${isWhole(to) ? `R.roundEven(${value})` : `R.roundAway(${from.kind === 'float' ? `Math.fround(${scaled})` : scaled})`} + 0`,
  )
  const limit =
    to.kind === 'int' ? '2147483648' : to.kind === 'long' ? '9223372036854775808' : to.kind === 'decimal' ? `1e${to.precision}` : '2 ** 127'
  const isBelow = to.kind === 'decimal' ? `${result} > -${limit}` : `${result} >= -${limit}`
  emitter.emit(`if (!(${result} < ${limit} && ${isBelow})) ${onError}`)
  if (representationOf(to) === 'number') return result
  if (emitter.isBig) return `BigInt(${result})`
  emitter.emit(`else if (!Number.isSafeInteger(${result})) throw R.UNSAFE`)
  return result
}

/** Microseconds of a day. */
const DAY = 86_400_000_000

function castTime(emitter: Emitter, value: string, from: ValueType, to: ValueType, onError: string): string {
  if (from.kind === 'date') {
    if (emitter.isBig) return `BigInt(${value}) * ${DAY}n`
    const result = emitter.variable('0')
    emitter.emit(`${result} = ${value} * ${DAY}`)
    checkRange(emitter, to, result, onError)
    return result
  }
  return emitter.isBig ? `Number(R.floorBig(${value}, ${DAY}n))` : `Math.floor(${value} / ${DAY})`
}

function castToText(value: string, from: ValueType): string {
  switch (from.kind) {
    case 'boolean':
      return `${value} ? 'true' : 'false'`
    case 'int':
    case 'long':
    case 'huge':
      return `String(${value})`
    case 'decimal':
      return `R.decimalText(BigInt(${value}), ${from.scale}, ${wholeDigits(from)})`
    case 'double':
      return `R.doubleText(${value})`
    case 'date':
      return `R.dateText(${value})`
    case 'time':
      return `R.timeText(Number(${value}))`
    case 'timestamp':
      return `R.timestampText(Number(${value}), '+00')`
    case 'datetime':
      return `R.timestampText(Number(${value}), '')`
    default:
      return value
  }
}

/** Plain digits are read from the bytes; other texts, and what may not be exact as a number, by their pattern. */
function castText(emitter: Emitter, code: Code, to: ValueType, onError: string): string {
  const isExact = representationOf(to) === 'exact'
  const parsed = emitter.variable('null')
  const parse = to.kind === 'double' ? `R.textToDouble(${code.value})` : `R.textToExact(${code.value}, ${scaleOf(to)}, ${limitText(to)})`
  if (emitter.isBig && isExact) {
    emitter.emit(`${parsed} = ${parse}`)
    emitter.emit(`if (${parsed} === null) ${onError}`)
    return parsed
  }
  const [plain, number] = [emitter.variable('0'), emitter.variable('0')]
  const most = mostPlain(to)
  emitter.emit(`${plain} = R.plainWhole(${emitter.rangeOf(code).join(', ')})`)
  emitter.emit(`if (${plain} <= ${most} && ${plain} >= -${most}) ${number} = ${plain} * ${10 ** scaleOf(to)}`)
  emitter.block('else', () => {
    emitter.emit(`${parsed} = ${parse}`)
    const check = isExact ? `; if (!Number.isSafeInteger(${number})) throw R.UNSAFE` : ''
    emitter.emit(`if (${parsed} === null) ${onError}; else { ${number} = Number(${parsed})${check} }`)
  })
  return number
}

/** Up to here plain digits are within the type, and exact as a number. */
function mostPlain(to: ValueType): number {
  if (to.kind === 'int') return 2147483647
  if (to.kind !== 'decimal') return Number.MAX_SAFE_INTEGER
  return Math.min(10 ** (to.precision - to.scale) - 1, Math.floor(Number.MAX_SAFE_INTEGER / 10 ** to.scale))
}

function limitText(to: ValueType): string {
  if (to.kind === 'decimal') return `${-(10n ** BigInt(to.precision)) + 1n}n, ${10n ** BigInt(to.precision) - 1n}n`
  return to.kind === 'int' ? '-2147483648n, 2147483647n' : '-9223372036854775808n, 9223372036854775807n'
}
