// The text of a generated function while it grows: variables, statements in blocks, constants by reference. Two ways to hold
// exact integers (long, decimal, time, timestamp, datetime): as numbers, which gives up where one leaves 2^53, and as bigint, which
// never does. It knows nothing of SQL.
import { type CallExpression, type Expression, STRING, type ValueType } from '../../engine/algebra/expression.ts'

/** number: boolean (0, 1), int, date, float, double. exact: integers of 64 bits and more. text: strings and bytes. */
export type Representation = 'number' | 'exact' | 'text'

export function representationOf(type: ValueType): Representation {
  switch (type.kind) {
    case 'long':
    case 'huge':
    case 'decimal':
    case 'time':
    case 'timestamp':
    case 'datetime':
      return 'exact'
    case 'string':
    case 'enum':
    case 'json':
    case 'uuid':
    case 'binary':
    case 'struct':
    case 'list':
    case 'map':
      return 'text'
    default:
      return 'number'
  }
}

/** Where text lies as bytes: JavaScript of a buffer, and of the start and length in it. */
export type Range = readonly [bytes: string, start: string, length: string]

/** A computed value: JavaScript of whether it is null, and of the value, which holds only where it is not null. */
export interface Code {
  readonly isNull: string
  readonly value: string
  /** Of text that lies in bytes, which `value` decodes. */
  readonly range?: Range
  /** Of a constant text. */
  readonly literal?: string
  /** Of text that is known to be JSON. */
  readonly isJson?: true
}

/** Calls whose result may not be null although an argument is. */
const LENIENT = new Set(['and', 'or', 'is_null', 'is_not_null', 'distinct_from', 'in', 'coalesce', 'greatest', 'least', 'concat'])

/** Null whatever the row is. */
export function isNullConstant(expression: Expression): boolean {
  if (expression.op === 'constant') return expression.value === null
  if (expression.op === 'cast') return isNullConstant(expression.of)
  return expression.op === 'call' && !LENIENT.has(expression.name) && expression.of.some(isNullConstant)
}

export type CallGenerator = (emitter: Emitter, call: CallExpression) => Code

export abstract class Emitter {
  /** Exact integers are bigint. */
  readonly isBig: boolean
  /** Statements before the loop. */
  readonly head: string[] = []
  readonly constants: unknown[] = []
  readonly #lines: string[] = []
  readonly #variables: string[] = []
  #declarations = 0
  readonly #shared = new Map<string, string>()
  /** What has been computed in each of the blocks that the next statement stands in: it holds there for the rest of the row. */
  readonly #known: Map<string, unknown>[] = [new Map()]

  constructor(isBig: boolean) {
    this.isBig = isBig
  }

  /** Emits what computes the expression. */
  abstract code(expression: Expression): Code

  /** What `emit` computes, unless it has been computed on every way to here; `key` names it. */
  known<T>(key: string, emit: () => T): T {
    for (const block of this.#known) if (block.has(key)) return block.get(key) as T
    const value = emit()
    this.#known.at(-1)!.set(key, value)
    return value
  }

  /** JavaScript of a value that is computed when a row first asks for it; `key` names what is computed. */
  once(key: string, value: string): string {
    return this.shared(key, () => {
      const at = this.#declarations++
      this.head.push(`let m${at} = -1, w${at};`)
      return `(m${at} === r ? w${at} : (m${at} = r, w${at} = ${value}))`
    })
  }

  /** A name before the loop, which `make` makes once. */
  shared(key: string, make: () => string): string {
    const name = this.#shared.get(key) ?? make()
    this.#shared.set(key, name)
    return name
  }

  /** A variable that keeps its value for the rows that follow. */
  kept(initial: string): string {
    const name = `p${this.#declarations++}`
    this.head.push(`let ${name} = ${initial};`)
    return name
  }

  /** A name of an object that all rows of a batch use. */
  object(of: string, ...given: readonly string[]): string {
    return this.#declared(`new ${of}(${given.join(', ')})`)
  }

  /** A name for a value that the generated code refers to. */
  constant(value: unknown): string {
    this.constants.push(value)
    return this.#declared(`k[${this.constants.length - 1}]`)
  }

  /** Text at a place in bytes. */
  inBytes(isNull: string, range: Range, { kind }: ValueType): Code {
    const list = range.join(', ')
    return { isNull, value: this.once(`text ${list}`, `R.${kind === 'binary' ? 'latin1' : 'text'}(${list})`), range }
  }

  /** A text of its own, which `write` writes to the buffer that it gets. */
  made(isNull: string, type: ValueType, write: (buffer: string) => string): Code {
    const buffer = this.object('O.TextBuffer')
    this.where(isNull, `${buffer}.clear(); ${write(buffer)}`)
    return this.inBytes(isNull, [`${buffer}.bytes`, '0', `${buffer}.length`], type)
  }

  /** The bytes of a text; a string is written to some first. */
  rangeOf({ range, literal, value }: Code): Range {
    if (range) return range
    if (literal === undefined)
      return this.known(`bytes of ${value}`, () => this.made('false', STRING, (buffer) => `${buffer}.addText(${value})`).range!)
    const bytes = Buffer.from(literal)
    return [this.shared(`bytes of ${value}`, () => this.constant(bytes)), '0', String(bytes.length)]
  }

  /**
   * A result that is null when any argument is: `body` gets the values, emits what it needs, and answers the value.
   * `setNull` is a statement that makes it null after all, for those that ask for it by `canBeNull`.
   */
  strict(
    of: readonly Expression[],
    type: ValueType,
    body: (values: readonly string[], setNull: string) => string,
    canBeNull = false,
  ): Code {
    // As DuckDB, which does not compute what meets a constant null.
    if (of.some((inner) => inner.op === 'constant' && inner.value === null))
      return { isNull: 'true', value: this.zero(representationOf(type)) }
    const codes = of.map((inner) => this.code(inner))
    return this.over(
      codes,
      type,
      (setNull) =>
        body(
          codes.map(({ value }) => value),
          setNull,
        ),
      canBeNull,
    )
  }

  over(codes: readonly Code[], type: ValueType, body: (setNull: string) => string, canBeNull = false): Code {
    const isNull = anyNull(codes)
    const value = this.variable(this.zero(representationOf(type)))
    if (isNull === 'false' && !canBeNull) {
      this.emit(`${value} = ${body('')}`)
      return { isNull, value }
    }
    const flag = this.variable('false')
    this.emit(`${flag} = ${isNull}`)
    if (isNull !== 'true')
      this.block(`if (!${flag})`, () => {
        const result = body(`${flag} = true`)
        this.emit(`if (!${flag}) ${value} = ${result}`)
      })
    return { isNull: flag, value }
  }

  /** Whether any is null, as one name. */
  nullOf(codes: readonly Code[]): string {
    const isNull = anyNull(codes)
    if (!isNull.includes('||')) return isNull
    const flag = this.variable('false')
    this.emit(`${flag} = ${isNull}`)
    return flag
  }

  /** Variables that get one of several values: text as the place where it lies. */
  slot(type: ValueType, variable = (initial: string) => this.variable(initial)): Code {
    const isNull = variable('false')
    const representation = representationOf(type)
    if (representation !== 'text') return { isNull, value: variable(this.zero(representation)) }
    return this.inBytes(isNull, [variable('R.NO_BYTES'), variable('0'), variable('0')], type)
  }

  /** Sets the slot to the value, where it is not null. */
  setValue(slot: Code, code: Code): string {
    if (!slot.range) return `${slot.value} = ${code.value}`
    const range = this.rangeOf(code)
    return slot.range.map((name, i) => `${name} = ${range[i]}`).join('; ')
  }

  /** Sets the slot, and answers whether that may make it null. */
  settle(slot: Code, code: Code): boolean {
    this.emit(`${slot.isNull} = ${code.isNull}`)
    if (code.isNull !== 'true') this.where(code.isNull, this.setValue(slot, code))
    return code.isNull !== 'false'
  }

  /** The statement, where the value is not null. */
  where(isNull: string, statement: string): void {
    this.emit(isNull === 'false' ? statement : `if (!${isNull}) { ${statement} }`)
  }

  emit(line: string): void {
    this.#lines.push(`${'  '.repeat(this.#known.length)}${line}`)
  }

  block(head: string, body: () => void): void {
    this.emit(`${head} {`)
    this.#known.push(new Map())
    body()
    this.#known.pop()
    this.emit('}')
  }

  /** A variable of the row, set before it is read. */
  variable(initial: string): string {
    const name = `x${this.#variables.length}`
    this.#variables.push(`${name} = ${initial}`)
    return name
  }

  /** First value of a variable. */
  zero(representation: Representation): string {
    if (representation === 'text') return "''"
    return representation === 'exact' && this.isBig ? '0n' : '0'
  }

  /** An exact integer as a literal. */
  exact(value: bigint | number): string {
    if (this.isBig) return `${value}n`
    return String(value)
  }

  #declared(value: string): string {
    const name = `d${this.#declarations++}`
    this.head.push(`const ${name} = ${value};`)
    return name
  }

  get body(): string {
    const variables = this.#variables.length > 0 ? `  let ${this.#variables.join(', ')};\n` : ''
    return variables + this.#lines.join('\n')
  }
}

export function anyNull(codes: readonly Code[]): string {
  const parts = [...new Set(codes.map(({ isNull }) => isNull).filter((isNull) => isNull !== 'false'))]
  if (parts.includes('true')) return 'true'
  return parts.length === 0 ? 'false' : parts.join(' || ')
}
