// From typed expressions to statements of JavaScript over one row: columns, constants, logic with three truth values, CASE and
// comparison; arithmetic, casts, text and time have a file each. The semantics are DuckDB's, which the differential test holds.

import { MillraceError } from '../../core/errors.ts'
import type {
  CallExpression,
  CaseExpression,
  CastExpression,
  ConstantExpression,
  Expression,
  PartExpression,
  ValueType,
} from '../../engine/algebra/expression.ts'
import type { Inner, Shape, StructType } from '../../schema/type.ts'
import { arithmetic } from './arithmetic.ts'
import { castCode } from './cast.ts'
import { type CallGenerator, type Code, Emitter, isNullConstant, type Range, representationOf } from './emitter.ts'
import { laneOfValue, storedType } from './lane.ts'
import { repeatedNumbers, repeatedText } from './repeated-text.ts'
import { StructParts } from './struct-parts.ts'
import { textCalls } from './text.ts'
import { TextSet } from './text-search.ts'
import { timeCalls } from './time.ts'

/** What is read of a struct: all of it together, before the loop, one value for each turn of it. */
interface Members {
  /** Of their columns. */
  readonly name: string
  readonly parts: StructParts
  /** By the path. */
  readonly codes: Map<string, Code>
}

export class Generator extends Emitter {
  readonly #shape: Shape
  readonly #columns = new Map<number, Code>()
  readonly #members = new Map<number, Members>()
  /** Within a text of numbers. */
  #isRepeated = false

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
      case 'case':
      case 'call':
        return this.known(JSON.stringify(expression), () => this.#computed(expression))
      case 'part':
        return this.#part(expression)
      case 'computed':
        throw new MillraceError('MR_ASSERT', 'cannot be: what DuckDB computes is a column here')
      case 'interval':
        throw new MillraceError('MR_ASSERT', 'cannot be: an interval alone')
    }
  }

  #computed(expression: CastExpression | CaseExpression | CallExpression): Code {
    const numbers = this.#isRepeated ? null : repeatedNumbers(expression)
    if (!numbers) return this.#plain(expression)
    return repeatedText(this, expression, numbers, () => {
      this.#isRepeated = true
      const code = this.#plain(expression)
      this.#isRepeated = false
      return code
    })
  }

  #plain(expression: CastExpression | CaseExpression | CallExpression): Code {
    if (expression.op === 'cast') return castCode(this, expression)
    return expression.op === 'case' ? this.#case(expression) : this.#call(expression)
  }

  #column(name: string, optional: boolean): Code {
    const index = this.#shape.fields.findIndex((field) => field.name === name)
    const known = this.#columns.get(index)
    if (known) return known
    const field = this.#shape.fields[index]
    if (!field) throw new MillraceError('MR_ASSERT', `cannot be: no column "${name}"`)
    const code = this.#columnOf(String(index), `columns[${index}]`, 'r', { ...field, optional: optional || field.optional })
    this.#columns.set(index, code)
    return code
  }

  #part({ of, path, type, optional }: PartExpression): Code {
    const index = of.op === 'column' ? this.#shape.fields.findIndex(({ name }) => name === of.name) : -1
    const field = this.#shape.fields[index]
    if (field?.type.kind !== 'struct') throw new MillraceError('MR_ASSERT', 'cannot be: a part of what is no column that is a struct')
    const { name, parts, codes } = this.#membersOf(index, field.type)
    const key = JSON.stringify(path)
    const known = codes.get(key)
    if (known) return known
    const at = parts.want(path)
    const code = this.#columnOf(`${index}_${at}`, `${name}[${at}]`, 'j', { type: storedType(type), optional: optional || field.optional })
    codes.set(key, code)
    return code
  }

  #membersOf(index: number, type: StructType): Members {
    const known = this.#members.get(index)
    if (known) return known
    const own = { name: `q${index}`, parts: new StructParts(type), codes: new Map<string, Code>() }
    this.head.push(`const ${own.name} = ${this.constant(own.parts)}.read(columns[${index}], rows, count);`)
    this.#members.set(index, own)
    return own
  }

  /** A column whose value is at the place `row`; `id` is its own among the names of the function. */
  #columnOf(id: string, column: string, row: string, { type, optional }: Inner): Code {
    const lane = laneOfValue(type)
    this.head.push(`const c${id} = ${column}, n${id} = c${id}.nulls;`)
    const isNull = optional ? `(n${id} !== null && n${id}[${row}] !== 0)` : 'false'
    if (lane === 'number') return this.#numberColumn(id, row, isNull)
    return lane === 'integer' ? this.#integerColumn(id, row, isNull) : this.#bytesColumn(id, row, isNull, type)
  }

  #numberColumn(id: string, row: string, isNull: string): Code {
    this.head.push(`const v${id} = c${id}.values;`)
    return { isNull, value: `v${id}[${row}]` }
  }

  #integerColumn(id: string, row: string, isNull: string): Code {
    this.head.push(`const v${id} = c${id}.values, b${id} = c${id}.big;`)
    if (this.isBig) return { isNull, value: `(b${id} !== null ? b${id}[${row}] : BigInt(v${id}[${row}]))` }
    this.head.push(`if (b${id} !== null) throw R.UNSAFE;`)
    return { isNull, value: `v${id}[${row}]` }
  }

  #bytesColumn(id: string, row: string, isNull: string, type: ValueType): Code {
    this.head.push(`const y${id} = R.buffer(c${id}.bytes), s${id} = c${id}.start, l${id} = c${id}.length;`)
    const range = [`y${id}`, `s${id}[${row}]`, `l${id}[${row}]`] as const
    const list = range.join(', ')
    if (type.kind === 'decimal' || type.kind === 'huge')
      return { isNull, value: this.isBig ? `R.unscaled(${list})` : `R.safeUnscaled(${list})` }
    const code = this.inBytes(isNull, range, type)
    return type.kind === 'json' ? { ...code, isJson: true } : code
  }

  #constant({ value, type }: ConstantExpression): Code {
    const representation = representationOf(type)
    if (value === null) return { isNull: 'true', value: this.zero(representation) }
    if (representation === 'text') return { isNull: 'false', value: JSON.stringify(value), literal: String(value) }
    if (representation === 'number') return { isNull: 'false', value: `(${typeof value === 'boolean' ? Number(value) : String(value)})` }
    const digits = BigInt(value)
    if (!this.isBig && !Number.isSafeInteger(Number(digits))) this.head.push('throw R.UNSAFE;')
    return { isNull: 'false', value: `(${this.exact(digits)})` }
  }

  #case({ when, else: otherwise, type }: CaseExpression): Code {
    const slot = this.slot(type)
    let canBeNull = false
    const from = (index: number): void => {
      const check = when[index]
      const settle = (value: Expression): void => {
        canBeNull = this.settle(slot, this.code(value)) || canBeNull
      }
      if (!check) {
        settle(otherwise)
        return
      }
      this.block(`if (${this.condition(check.test)})`, () => settle(check.value))
      this.block('else', () => from(index + 1))
    }
    from(0)
    return canBeNull ? slot : { ...slot, isNull: 'false' }
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
function compareCode(emitter: Emitter, name: string, type: ValueType, a: Code, b: Code): string {
  const [x, y] = [a.value, b.value]
  if (representationOf(type) === 'text') return compareText(name, emitter.rangeOf(a), emitter.rangeOf(b))
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
      return compareCode(emitter, '<', type, b, a)
    default:
      return compareCode(emitter, '<=', type, b, a)
  }
}

function compareText(name: string, a: Range, b: Range): string {
  const both = [...a, ...b].join(', ')
  if (name === '=' || name === '<>') return `(${name === '=' ? '' : '!'}B.sameBytes(${both})) | 0`
  return `(B.compareBytes(${both}) ${name} 0) | 0`
}

const comparison: CallGenerator = (generator, { name, of, type }) => {
  const [a, b] = of.map((inner) => generator.code(inner)) as [Code, Code]
  return generator.over([a, b], type, () => compareCode(generator, name, of[0]!.type, a, b))
}

const distinctFrom: CallGenerator = (generator, { of }) => {
  const [a, b] = of.map((inner) => generator.code(inner)) as [Code, Code]
  const value = generator.variable('0')
  if (a.isNull === 'true' || b.isNull === 'true') {
    generator.emit(`${value} = (${a.isNull} !== ${b.isNull}) | 0`)
    return { isNull: 'false', value }
  }
  const differs = compareCode(generator, '<>', of[0]!.type, a, b)
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

/** Up to here texts are compared one after the other. */
const FEW = 8

function isListed(generator: Emitter, subject: Code, type: ValueType, listed: readonly ConstantExpression[]): string {
  if (listed.length === 0) return '0'
  if (representationOf(type) === 'text' && listed.length > FEW) {
    const set = generator.constant(new TextSet(listed.map(({ value }) => Buffer.from(String(value)))))
    return `${set}.has(${generator.rangeOf(subject).join(', ')}) | 0`
  }
  return listed.map((constant) => compareCode(generator, '=', type, subject, generator.code(constant))).join(' || ')
}

const coalesce: CallGenerator = (generator, { of, type }) => {
  const slot = generator.slot(type)
  generator.emit(`${slot.isNull} = true`)
  let canBeNull = true
  const rest = (index: number): void => {
    const inner = of[index]
    if (inner && canBeNull)
      generator.block(`if (${slot.isNull})`, () => {
        canBeNull = generator.settle(slot, generator.code(inner))
        rest(index + 1)
      })
  }
  rest(0)
  return canBeNull ? slot : { ...slot, isNull: 'false' }
}

/** greatest and least leave nulls out. */
const extreme: CallGenerator = (generator, { name, of, type }) => {
  const slot = generator.slot(type)
  generator.emit(`${slot.isNull} = true`)
  for (const inner of of) {
    const code = generator.code(inner)
    if (code.isNull === 'true') continue
    const isBetter = compareCode(generator, name === 'greatest' ? '>' : '<', type, code, slot)
    generator.where(code.isNull, `if (${slot.isNull} || ${isBetter}) { ${generator.setValue(slot, code)}; ${slot.isNull} = false }`)
  }
  return slot
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
