// From typed expressions to statements of JavaScript over one row: columns, constants, logic with three truth values, CASE and
// comparison; arithmetic, casts, text and time have a file each. The semantics are DuckDB's, which the differential test holds.

import { MillraceError } from '../../core/errors.ts'
import type { CallExpression, CaseExpression, ConstantExpression, Expression, ValueType } from '../../engine/algebra/expression.ts'
import type { Shape } from '../../schema/type.ts'
import { arithmetic } from './arithmetic.ts'
import { castCode } from './cast.ts'
import { type CallGenerator, type Code, Emitter, isNullConstant, representationOf } from './emitter.ts'
import { laneOfValue } from './lane.ts'
import { textCalls } from './text.ts'
import { timeCalls } from './time.ts'

export class Generator extends Emitter {
  readonly #shape: Shape
  readonly #columns = new Map<number, Code>()
  readonly #once = new Map<string, number>()
  /** Statements that read the arrays of columns, before the loop. */
  readonly head: string[] = []

  constructor(shape: Shape, isBig: boolean) {
    super(isBig)
    this.#shape = shape
  }

  /** Emits what computes the expression. */
  code(expression: Expression): Code {
    // As DuckDB, which does not compute what meets a constant null.
    if (isNullConstant(expression)) return { isNull: 'true', value: this.zero(representationOf(expression.type)) }
    switch (expression.op) {
      case 'column':
        return this.#column(expression.name, expression.optional)
      case 'constant':
        return this.#constant(expression)
      case 'cast':
        return castCode(this, expression)
      case 'case':
        return this.#case(expression)
      case 'call':
        return this.#call(expression)
      case 'computed':
        throw new MillraceError('MR_ASSERT', 'cannot be: what DuckDB computes is a column here')
      case 'interval':
        throw new MillraceError('MR_ASSERT', 'cannot be: an interval alone')
    }
  }

  #column(name: string, optional: boolean): Code {
    const index = this.#shape.fields.findIndex((field) => field.name === name)
    const known = this.#columns.get(index)
    if (known) return known
    const field = this.#shape.fields[index]
    if (!field) throw new MillraceError('MR_ASSERT', `cannot be: no column "${name}"`)
    const lane = laneOfValue(field.type)
    this.head.push(`const c${index} = columns[${index}], n${index} = c${index}.nulls;`)
    const isNull = optional || field.optional ? `(n${index} !== null && n${index}[r] !== 0)` : 'false'
    const code =
      lane === 'number'
        ? this.#numberColumn(index, isNull)
        : lane === 'integer'
          ? this.#integerColumn(index, isNull)
          : this.#bytesColumn(index, isNull, field.type)
    this.#columns.set(index, code)
    return code
  }

  once(key: string, value: string): string {
    const known = this.#once.get(key)
    const at = known ?? this.#once.size
    if (known === undefined) {
      this.#once.set(key, at)
      this.head.push(`let m${at} = -1, w${at};`)
    }
    return `(m${at} === r ? w${at} : (m${at} = r, w${at} = ${value}))`
  }

  #numberColumn(index: number, isNull: string): Code {
    this.head.push(`const v${index} = c${index}.values;`)
    return { isNull, value: `v${index}[r]` }
  }

  #integerColumn(index: number, isNull: string): Code {
    this.head.push(`const v${index} = c${index}.values, b${index} = c${index}.big;`)
    if (this.isBig) return { isNull, value: `(b${index} !== null ? b${index}[r] : BigInt(v${index}[r]))` }
    this.head.push(`if (b${index} !== null) throw R.UNSAFE;`)
    return { isNull, value: `v${index}[r]` }
  }

  #bytesColumn(index: number, isNull: string, type: ValueType): Code {
    this.head.push(`const y${index} = R.buffer(c${index}.bytes), s${index} = c${index}.start, l${index} = c${index}.length;`)
    const range = [`y${index}`, `s${index}[r]`, `l${index}[r]`] as const
    const list = range.join(', ')
    if (type.kind === 'decimal' || type.kind === 'huge')
      return { isNull, value: this.isBig ? `R.unscaled(${list})` : `R.safeUnscaled(${list})` }
    return { isNull, value: this.once(`column ${index}`, `R.${type.kind === 'binary' ? 'latin1' : 'text'}(${list})`), range }
  }

  #constant({ value, type }: ConstantExpression): Code {
    const representation = representationOf(type)
    if (value === null) return { isNull: 'true', value: this.zero(representation) }
    if (representation === 'text') return { isNull: 'false', value: JSON.stringify(value) }
    if (representation === 'number') return { isNull: 'false', value: `(${typeof value === 'boolean' ? Number(value) : String(value)})` }
    const digits = BigInt(value)
    if (!this.isBig && !Number.isSafeInteger(Number(digits))) this.head.push('throw R.UNSAFE;')
    return { isNull: 'false', value: `(${this.exact(digits)})` }
  }

  #case({ when, else: otherwise, type }: CaseExpression): Code {
    const isNull = this.variable('false')
    const value = this.variable(this.zero(representationOf(type)))
    const from = (index: number): void => {
      const check = when[index]
      if (!check) {
        this.settle(this.code(otherwise), isNull, value)
        return
      }
      this.branch(this.condition(check.test), isNull, value, () => this.code(check.value))
      this.block('else', () => from(index + 1))
    }
    from(0)
    return { isNull, value }
  }

  /** JavaScript that holds where the condition is true: parts of AND behind one that is false or null are not computed. */
  condition(test: Expression): string {
    if (test.op !== 'call' || test.name !== 'and') {
      const { isNull, value } = this.code(test)
      if (isNull === 'true') return 'false'
      return isNull === 'false' ? value : `!${isNull} && ${value}`
    }
    const holds = this.variable('0')
    this.emit(`${holds} = 0`)
    const rest = (index: number): void => {
      const part = test.of[index]
      if (part) this.block(`if (${this.condition(part)})`, () => rest(index + 1))
      else this.emit(`${holds} = 1`)
    }
    rest(0)
    return holds
  }

  #call(call: CallExpression): Code {
    const generate = CALLS[call.name]
    if (!generate) throw new MillraceError('MR_ASSERT', `cannot be: no code for ${call.name}`)
    return generate(this, call)
  }
}

/** AND is false where any part is, null where none is false and one is null; the parts after a false one are not computed. */
const conjunction =
  (decisive: 0 | 1): CallGenerator =>
  (generator, { of }) => {
    const value = generator.variable('0')
    const isNull = generator.variable('false')
    generator.emit(`${value} = ${1 - decisive}; ${isNull} = false`)
    const rest = (index: number): void => {
      if (index === of.length) return
      const code = generator.code(of[index]!)
      if (code.isNull === 'true') generator.emit(`${isNull} = true`)
      else {
        const decided = `if (${decisive === 1 ? '' : '!'}(${code.value})) ${value} = ${decisive}`
        generator.emit(code.isNull === 'false' ? decided : `if (${code.isNull}) ${isNull} = true; else ${decided}`)
      }
      if (index + 1 < of.length) generator.block(`if (${value} !== ${decisive})`, () => rest(index + 1))
    }
    rest(0)
    generator.emit(`if (${value} === ${decisive}) ${isNull} = false`)
    return { isNull, value }
  }

/** Of values that are not null, by DuckDB's order: NaN is the greatest double, text goes by code points. */
export function compareCode(name: string, type: ValueType, a: Code, b: Code): string {
  const [x, y] = [a.value, b.value]
  if (representationOf(type) === 'text') return compareText(name, a, b)
  if (type.kind !== 'double' && type.kind !== 'float') return `(${x} ${name === '=' ? '===' : name === '<>' ? '!==' : name} ${y}) | 0`
  switch (name) {
    case '=':
      return `(${x} === ${y} || (${x} !== ${x} && ${y} !== ${y})) | 0`
    case '<>':
      return `(${x} !== ${y} && (${x} === ${x} || ${y} === ${y})) | 0`
    case '<':
      return `(${x} < ${y} || (${y} !== ${y} && ${x} === ${x})) | 0`
    case '<=':
      return `(${x} <= ${y} || ${y} !== ${y}) | 0`
    case '>':
      return compareCode('<', type, b, a)
    default:
      return compareCode('<=', type, b, a)
  }
}

function compareText(name: string, a: Code, b: Code): string {
  if (name === '=' || name === '<>') {
    const same = a.range && b.range ? `R.sameBytes(${a.range.join(', ')}, ${b.range.join(', ')})` : `${a.value} === ${b.value}`
    return `(${name === '=' ? '' : '!'}(${same})) | 0`
  }
  return `(R.compareText(${a.value}, ${b.value}) ${name} 0) | 0`
}

const comparison: CallGenerator = (generator, { name, of, type }) => {
  const [a, b] = of as readonly [Expression, Expression]
  const constant = [a, b].find((side) => side.op === 'constant' && side.value !== null && side.type.kind !== 'binary')
  const codes = of.map((inner) => generator.code(inner))
  const ranged = codes.find((code) => code.range)
  return generator.over(codes, type, () => {
    if (constant && ranged && (name === '=' || name === '<>') && a.type.kind !== 'binary') {
      const bytes = generator.constant(Buffer.from(String((constant as ConstantExpression).value)))
      return `(${name === '=' ? '' : '!'}R.isBytes(${ranged.range!.join(', ')}, ${bytes})) | 0`
    }
    return compareCode(name, a.type, codes[0]!, codes[1]!)
  })
}

const distinctFrom: CallGenerator = (generator, { of }) => {
  const [a, b] = of.map((inner) => generator.code(inner)) as [Code, Code]
  const value = generator.variable('0')
  const differs = compareCode('<>', of[0]!.type, a, b)
  if (a.isNull === 'true' || b.isNull === 'true') {
    generator.emit(`${value} = (${a.isNull} !== ${b.isNull}) | 0`)
    return { isNull: 'false', value }
  }
  generator.emit(`${value} = ${a.isNull} ? (${b.isNull} ? 0 : 1) : ${b.isNull} ? 1 : ${differs}`)
  return { isNull: 'false', value }
}

const isIn: CallGenerator = (generator, { of, type }) => {
  const [wanted, ...listed] = of as [Expression, ...ConstantExpression[]]
  const held = listed.filter(({ value }) => value !== null)
  const subject = generator.code(wanted)
  return generator.over(
    [subject],
    type,
    (setNull) => {
      const value = generator.variable('0')
      generator.emit(`${value} = ${isListed(generator, subject, wanted.type, held)}`)
      if (held.length < listed.length) generator.emit(`if (!${value}) ${setNull}`)
      return value
    },
    held.length < listed.length,
  )
}

function isListed(generator: Emitter, subject: Code, type: ValueType, listed: readonly ConstantExpression[]): string {
  if (listed.length === 0) return '0'
  if (representationOf(type) === 'text') {
    if (!subject.range || listed.length > 8)
      return `${generator.constant(new Set(listed.map(({ value }) => String(value))))}.has(${subject.value}) | 0`
    const tests = listed.map(({ value }) => `R.isBytes(${subject.range!.join(', ')}, ${generator.constant(Buffer.from(String(value)))})`)
    return `(${tests.join(' || ')}) | 0`
  }
  return listed.map((constant) => compareCode('=', type, subject, generator.code(constant))).join(' || ')
}

const coalesce: CallGenerator = (generator, { of, type }) => {
  const isNull = generator.variable('false')
  const value = generator.variable(generator.zero(representationOf(type)))
  generator.emit(`${isNull} = true`)
  const rest = (index: number): void => {
    if (index < of.length) generator.branch(isNull, isNull, value, () => generator.code(of[index]!))
    if (index + 1 < of.length) rest(index + 1)
  }
  rest(0)
  return { isNull, value }
}

/** greatest and least leave nulls out. */
const extreme: CallGenerator = (generator, { name, of, type }) => {
  const isNull = generator.variable('false')
  const value = generator.variable(generator.zero(representationOf(type)))
  generator.emit(`${isNull} = true`)
  for (const inner of of) {
    const code = generator.code(inner)
    if (code.isNull === 'true') continue
    const isBetter = compareCode(name === 'greatest' ? '>' : '<', type, code, { isNull: 'false', value })
    const set = `if (${isNull} || ${isBetter}) { ${value} = ${code.value}; ${isNull} = false }`
    generator.emit(code.isNull === 'false' ? set : `if (!${code.isNull}) { ${set} }`)
  }
  return { isNull, value }
}

const CALLS: Readonly<Record<string, CallGenerator>> = {
  and: conjunction(0),
  or: conjunction(1),
  not: (generator, { of, type }) => generator.strict(of, type, ([x]) => `1 - ${x}`),
  is_null: (generator, { of }) => truth(generator, generator.code(of[0]!).isNull),
  is_not_null: (generator, { of }) => truth(generator, `!${generator.code(of[0]!).isNull}`),
  '=': comparison,
  '<>': comparison,
  '<': comparison,
  '<=': comparison,
  '>': comparison,
  '>=': comparison,
  distinct_from: distinctFrom,
  in: isIn,
  coalesce,
  greatest: extreme,
  least: extreme,
  ...arithmetic,
  ...textCalls,
  ...timeCalls,
}

function truth(generator: Emitter, condition: string): Code {
  const value = generator.variable('0')
  generator.emit(`${value} = (${condition}) | 0`)
  return { isNull: 'false', value }
}
