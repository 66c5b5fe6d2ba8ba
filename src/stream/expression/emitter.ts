// The text of a generated function while it grows: variables, statements in blocks, constants by reference. Two ways to hold
// exact integers (long, decimal, time, timestamp, datetime): as numbers, which gives up where one leaves 2^53, and as bigint, which
// never does. It knows nothing of SQL.
import type { CallExpression, Expression, ValueType } from '../../engine/algebra/expression.ts'

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

/** A computed value: JavaScript of whether it is null, and of the value, which holds only where it is not null. */
export interface Code {
  readonly isNull: string
  readonly value: string
  /** Text that still lies in a column: names of its bytes, start and length. */
  readonly range?: readonly [bytes: string, start: string, length: string]
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
  readonly #lines: string[] = []
  readonly #variables: string[] = []
  readonly constants: unknown[] = []
  #depth = 1

  constructor(isBig: boolean) {
    this.isBig = isBig
  }

  /** Emits what computes the expression. */
  abstract code(expression: Expression): Code

  /** JavaScript of a value that is computed once for a row, however often it stands there; `key` names what is computed. */
  abstract once(key: string, value: string): string

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

  /** Runs `then` only where the condition holds, with variables for its result. */
  branch(condition: string, isNull: string, value: string, then: () => Code): void {
    this.block(`if (${condition})`, () => this.settle(then(), isNull, value))
  }

  settle(code: Code, isNull: string, value: string): void {
    this.emit(`${isNull} = ${code.isNull}`)
    if (code.isNull !== 'true') this.emit(code.isNull === 'false' ? `${value} = ${code.value}` : `if (!${isNull}) ${value} = ${code.value}`)
  }

  emit(line: string): void {
    this.#lines.push(`${'  '.repeat(this.#depth)}${line}`)
  }

  block(head: string, body: () => void): void {
    this.emit(`${head} {`)
    this.#depth++
    body()
    this.#depth--
    this.emit('}')
  }

  /** A variable of the row, set before it is read. */
  variable(initial: string): string {
    const name = `x${this.#variables.length}`
    this.#variables.push(`${name} = ${initial}`)
    return name
  }

  /** A name for a value that the generated code refers to. */
  constant(value: unknown): string {
    this.constants.push(value)
    return `k[${this.constants.length - 1}]`
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
