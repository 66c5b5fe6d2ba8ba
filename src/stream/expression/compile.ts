// Expressions over column batches as generated JavaScript: one function computes all columns of a stage in one pass over the
// chosen rows. Exact integers are numbers; a batch in which one leaves 2^53 is computed again by a second function with bigint.
// Source of the idea: Neumann, "Efficiently Compiling Efficient Query Plans for Modern Hardware" (2011).
import {
  type ConstantValue,
  childrenOf,
  columnsIn,
  conjuncts,
  constant,
  type Expression,
  mapChildren,
  sameExpression,
} from '../../engine/algebra/expression.ts'
import { type Column, type IntegerColumn, selectColumn, valueAt } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { cheapFirst } from './cheap-first.ts'
import { representationOf } from './emitter.ts'
import { Generator } from './generate.ts'
import { laneOfValue, storedType } from './lane.ts'
import * as runtime from './runtime.ts'
import { TextBuffer } from './text-buffer.ts'
import * as textFunctions from './text-functions.ts'
import * as textRanges from './text-ranges.ts'
import { Part, Splitter } from './text-search.ts'
import { TextSink } from './text-sink.ts'
import * as timeFunctions from './time-functions.ts'

/** `rows`: which rows, null for the first `count`. */
export type Projection = (columns: readonly Column[], rows: Int32Array | null, count: number) => Column[]

/** Writes the rows for which the condition is true to `out`, another array than `rows`, in order; answers how many. */
export type Filter = (columns: readonly Column[], rows: Int32Array | null, count: number, out: Int32Array) => number

/** As `Filter`, with columns of the rows that it keeps. */
export type Selection = (columns: readonly Column[], rows: Int32Array | null, count: number, out: Int32Array) => Selected

interface Selected {
  readonly kept: number
  readonly columns: Column[]
}

type Generated<Result> = (columns: readonly Column[], rows: Int32Array | null, count: number, out: Int32Array) => Result

/** Equal expressions are one column. @throws at run time MR_SQL_RUNTIME where DuckDB fails as well. */
export function compileProjection(written: readonly Expression[], shape: Shape): Projection {
  const { computed, columnsOf } = outputsOf(written, shape)
  const compute = computed.length === 0 ? null : both<Column[]>(shape, (generator) => projectionBody(generator, computed))
  return (columns, rows, count) => columnsOf(compute ? compute(columns, rows, count, NONE) : [], columns, rows, count)
}

/** A filter and a projection of what it keeps in one pass: what both compute of a row is computed once. */
export function compileSelection(where: Expression, written: readonly Expression[], shape: Shape): Selection {
  const { computed, columnsOf } = outputsOf(written, shape)
  const compute = both<Selected>(shape, (generator) => selectionBody(generator, planned(where), computed))
  return (columns, rows, count, out) => {
    const { kept, columns: results } = compute(columns, rows, count, out)
    return { kept, columns: columnsOf(results, columns, out, kept) }
  }
}

/** What is computed of rows, and the columns of a projection out of that and the columns that it takes as they are. */
function outputsOf(written: readonly Expression[], shape: Shape) {
  const expressions = written.map(planned)
  const plain = expressions.map((expression) => (expression.op === 'column' ? indexOf(shape, expression.name) : -1))
  const computed: Expression[] = []
  const places = expressions.map((expression, i) => (plain[i] === -1 ? placeIn(computed, expression) : -1))
  const columnsOf = (results: readonly Column[], columns: readonly Column[], rows: Int32Array | null, count: number): Column[] =>
    plain.map((index, i) => (index === -1 ? results[places[i]!]! : rows ? selectColumn(columns[index]!, rows, count) : columns[index]!))
  return { computed, columnsOf }
}

export function compileFilter(where: Expression, shape: Shape): Filter {
  const condition = planned(where)
  return both<number>(shape, (generator) => {
    generator.emit(`if (${generator.condition(condition)}) out[kept++] = r`)
    return { before: 'let kept = 0;', after: 'return kept;' }
  })
}

/** Whether one computes something of a text that one of the others computes too; numbers are computed as fast as they are kept. */
export function sharesWork(one: Expression, others: readonly Expression[]): boolean {
  const own = new Set(workOf(one))
  return others.some((other) => workOf(other).some((work) => own.has(work)))
}

function workOf(expression: Expression): string[] {
  // The members of a struct are read in one pass over its text.
  if (expression.op === 'part') return [JSON.stringify(expression.of)]
  const of = childrenOf(expression)
  const isOfText = of.some(({ type }) => representationOf(type) === 'text')
  return [...(isOfText ? [JSON.stringify(expression)] : []), ...of.flatMap(workOf)]
}

const planned = (written: Expression): Expression => cheapFirst(foldConstants(written))

/** Where an expression is among others; it is one of them then. */
function placeIn(among: Expression[], expression: Expression): number {
  const at = among.findIndex((other) => sameExpression(other, expression))
  return at === -1 ? among.push(expression) - 1 : at
}

const NONE = new Int32Array(0)

const indexOf = (shape: Shape, name: string): number => shape.fields.findIndex((field) => field.name === name)

/**
 * Parts without columns are computed once, as DuckDB does, which leaves out what meets a constant null. A part that fails is left:
 * it may never be reached.
 */
function foldConstants(expression: Expression): Expression {
  if (childrenOf(expression).length === 0) return expression
  const folded = mapChildren(expression, foldConstants)
  if (columnsIn([folded]).size > 0) return folded
  try {
    const shape: Shape = { fields: [{ name: 'v', type: storedType(folded.type), optional: true }] }
    const columns = both<Column[]>({ fields: [] }, (generator) => projectionBody(generator, [folded]))([], null, 1, NONE)
    const value = constantOf(valueAt({ shape, rows: 1, columns }, 0, 0))
    // Decimals of many digits are text with a point.
    const isExactText = representationOf(folded.type) === 'exact' && typeof value === 'string'
    return constant(isExactText ? value.replace('.', '') : value, folded.type)
  } catch {
    return folded
  }
}

function constantOf(value: ReturnType<typeof valueAt>): ConstantValue {
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : Number.isFinite(value) ? value : String(value)
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value)
}

interface Around {
  readonly before: string
  readonly after: string
}

/** The function with numbers, and the one with bigint for batches that need it, which is generated then. */
function both<Result>(shape: Shape, body: (generator: Generator) => Around): Generated<Result> {
  const fast = generate<Result>(shape, false, body)
  let exact: Generated<Result> | null = null
  return (columns, rows, count, out) => {
    try {
      return fast(columns, rows, count, out)
    } catch (error) {
      if (error !== runtime.UNSAFE) throw error
    }
    exact ??= generate<Result>(shape, true, body)
    return exact(columns, rows, count, out)
  }
}

function generate<Result>(shape: Shape, isBig: boolean, body: (generator: Generator) => Around): Generated<Result> {
  const generator = new Generator(shape, isBig)
  const { before, after } = body(generator)
  const loop = `for (let j = 0; j < count; j++) {\n  const r = rows === null ? j : rows[j];\n${generator.body}\n}`
  const text = `return (columns, rows, count, out) => {\n${generator.head.join('\n')}\n${before}\n${loop}\n${after}\n}`
  const make = new Function('R', 'T', 'B', 'D', 'O', 'k', text)
  return make(runtime, textFunctions, textRanges, timeFunctions, OBJECTS, generator.constants) as Generated<Result>
}

function projectionBody(generator: Generator, expressions: readonly Expression[]): Around {
  generator.emit('const i = j')
  const { before, results } = putResults(generator, expressions, (array) => array, '')
  return { before, after: `return [${results}];` }
}

/** Parts of AND that stand alone are blocks within each other: what any of them has computed holds for the projection. */
function selectionBody(generator: Generator, where: Expression, expressions: readonly Expression[]): Around {
  const parts = conjuncts(where)
  let outputs = { before: '', results: '' }
  const within = (at: number): void => {
    const part = parts[at]
    if (part) generator.block(`if (${generator.condition(part)})`, () => within(at + 1))
    else {
      generator.emit('const i = kept; out[kept++] = r')
      outputs = putResults(generator, expressions, (array) => `${array}.subarray(0, kept)`, ', kept')
    }
  }
  within(0)
  const { before, results } = outputs
  return { before: `let kept = 0;\n${before}`, after: `return { kept, columns: [${results}] };` }
}

/** `j` counts the rows that are given, `r` is their place in the batch. Emits what puts the value of each to place `i` of a result; `whole` and `size`: of an array, and of texts, how much of them that is. */
function putResults(generator: Generator, expressions: readonly Expression[], whole: (array: string) => string, size: string) {
  const before: string[] = []
  const results: string[] = []
  for (const [index, expression] of expressions.entries()) {
    const { isNull, value, range } = generator.code(expression)
    const [out, nulls] = [`o${index}`, isNull === 'false' ? 'null' : `z${index}`]
    const lane = laneOfValue(expression.type)
    const isBig = generator.isBig && lane === 'integer'
    before.push(
      `const ${out} = ${lane === 'bytes' ? `new O.TextSink(count, '${expression.type.kind === 'binary' ? 'latin1' : 'utf8'}')` : isBig ? 'new BigInt64Array(count)' : 'new Float64Array(count)'};`,
    )
    if (nulls !== 'null') before.push(`const ${nulls} = new Uint8Array(count);`)
    const type = expression.type
    const isDecimalText = lane === 'bytes' && (type.kind === 'decimal' || type.kind === 'huge')
    const scale = type.kind === 'decimal' ? type.scale : 0
    let put = `${out}[i] = ${value}`
    if (isDecimalText)
      put = generator.isBig ? `${out}.put(i, R.decimalText(${value}, ${scale}))` : `${out}.putDecimal(i, ${value}, ${scale})`
    else if (lane === 'bytes') put = range ? `${out}.copy(i, ${range.join(', ')})` : `${out}.put(i, ${value})`
    generator.emit(isNull === 'false' ? put : isNull === 'true' ? `${nulls}[i] = 1` : `if (${isNull}) ${nulls}[i] = 1; else ${put}`)
    const flags = nulls === 'null' ? nulls : whole(nulls)
    results.push(
      lane === 'bytes'
        ? `${out}.column(${flags}${size})`
        : isBig
          ? `O.integers(${whole(out)}, ${flags})`
          : `{ kind: '${lane}', values: ${whole(out)}, ${lane === 'integer' ? 'big: null, ' : ''}nulls: ${flags} }`,
    )
  }
  return { before: before.join('\n'), results: results.join(', ') }
}

/** Numbers again where all fit. */
function integers(big: BigInt64Array, nulls: Uint8Array | null): IntegerColumn {
  const values = new Float64Array(big.length)
  for (let i = 0; i < big.length; i++) {
    values[i] = Number(big[i]!)
    if (!Number.isSafeInteger(values[i])) return { kind: 'integer', values: new Float64Array(0), big, nulls }
  }
  return { kind: 'integer', values, big: null, nulls }
}

const OBJECTS = { Part, Splitter, TextBuffer, TextSink, integers }
