// A live query as it runs: streams go in as column batches, pass stages without state (filters, projections) and operators with
// state, which feed each other, and come out in the model's columns. Operators stand in the order in which rows flow, so that one
// pass over them brings everything forward that a watermark makes final. Where rows can go, what comes out says which have (`GONE`).
import type { Scratch } from '../../core/scratch.ts'
import { castTo, valueTypeOf } from '../../engine/algebra/coerce.ts'
import type { Expression } from '../../engine/algebra/expression.ts'
import { goingBy, inputsOf, type LiveQuery, type NamedExpression, type Relation } from '../../engine/algebra/relation.ts'
import type { ComputeRows } from '../../engine/compute-rows.ts'
import { type ColumnBatch, indexes, type NumberColumn } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { representationOf } from '../expression/emitter.ts'
import { LosingPath, type Passed } from './losing-path.ts'
import { holdsState, operatorOf } from './make-operator.ts'
import { joinBatches, type Operator, type Rows } from './operator.ts'
import { SIGN } from './retraction.ts'
import { shapeOfRelation } from './shape.ts'
import { run, runAll, type Stage, stagesOf, whole } from './stage.ts'

/** An operator, what becomes of its rows, and where they go: null for out of the chain. */
interface Step {
  readonly relation: Relation
  readonly operator: Operator
  readonly after: readonly Stage[]
  /** Of rows that go, or that a condition takes away from what remembers them, in place of `after`. */
  readonly losing: LosingPath | null
  /** Its rows say in their last column whether they are there or have gone. */
  readonly isSigned: boolean
  readonly to: Port | null
  readonly delayUs: number
}

interface Port {
  readonly step: Step
  readonly side: 0 | 1
}

/** Where the rows of a stream go in. */
interface Entry {
  readonly stream: string
  readonly before: readonly Stage[]
  /** Of a table whose rows are read: these are its stages. */
  readonly losing: LosingPath | null
  readonly to: Port | null
}

type ShapeOf = (stream: string) => Shape

/** Rows of a stream behind the stages before its first operator with state. */
export interface Entered {
  readonly taken: Rows
  readonly to: Port | null
  /** Of a table whose rows are read. */
  readonly passed?: { readonly path: LosingPath; readonly rows: Passed }
}

const NO_ROWS = new Int32Array(0)

export class Chain {
  readonly #shapeOf: ShapeOf
  readonly #compute: ComputeRows | null
  readonly #scratch: Scratch | null
  /** Of a keyed result, by the names of its columns. */
  readonly #key: readonly string[]
  /** Rows go by it. */
  readonly #loses: boolean
  readonly #entries: Entry[] = []
  /** Each before those that it feeds. */
  readonly #steps: Step[] = []

  /**
   * `shapeOf`: columns of the streams' batches; `model`: columns of what comes out, by name where they have one, else by place.
   * `compute`: for queries with expressions that DuckDB computes. `scratch`: where state goes that has no room; null where none may.
   */
  constructor(query: LiveQuery, shapeOf: ShapeOf, model: Shape, compute: ComputeRows | null = null, scratch: Scratch | null = null) {
    this.#shapeOf = shapeOf
    this.#scratch = scratch
    this.#compute = compute
    this.#key = query.key
    this.#loses = query.loses === true
    this.#build(inColumnsOf(query.root, model), [], null)
  }

  /** `later`: what stands without state between the relation and the port, in the order of the rows. */
  #build(relation: Relation, later: readonly Relation[], to: Port | null): void {
    if (relation.op === 'scan') {
      const { stream, key } = relation
      const losing = key ? this.#losing(later, this.#shapeOf(stream), key, to) : null
      this.#entries.push({ stream, before: losing?.stages ?? stagesOf(later, this.#shapeOf(stream), this.#compute), losing, to })
      return
    }
    if (relation.op === 'union') {
      for (const input of relation.inputs) this.#build(input, later, to)
      return
    }
    if (!holdsState(relation)) {
      this.#build(inputsOf(relation)[0]!, [relation, ...later], to)
      return
    }
    const inputs = inputsOf(relation)
    const shapes = inputs.map((input) => shapeOfRelation(input, this.#shapeOf))
    const signedBy = goingBy(relation)
    const follows = signedBy !== null || (relation.op === 'group' && relation.replaces === true)
    const isTakenBack = to?.step.relation.op === 'group' && to.step.relation.replaces === true
    const { operator, shape } = operatorOf(relation, follows ? shapes.map(withSign) : shapes, later, isTakenBack, this.#scratch)
    const canLose = relation.op === 'group' && (to === null ? this.#loses : to.step.relation.op === 'latest')
    const key = canLose ? relation.keys.map(({ name }) => name) : signedBy
    const losing = key && this.#losing(later, shape, key, to)
    const step: Step = {
      relation,
      operator,
      after: losing ? [] : stagesOf(later, shape, null),
      losing,
      isSigned: signedBy !== null,
      to,
      delayUs: delayOf(relation),
    }
    for (const [side, input] of inputs.entries()) this.#build(input, [], { step, side: side as 0 | 1 })
    this.#steps.push(step)
  }

  /** Rows go by their key into what keeps them by it, or out. */
  #losing(path: readonly Relation[], input: Shape, key: readonly string[], to: Port | null): LosingPath {
    const endKey = to?.step.relation.op === 'latest' ? to.step.relation.key : this.#key
    return new LosingPath(path, input, key, endKey, this.#compute)
  }

  /**
   * Computes what is computed of rows one by one, up to the operators with state, and changes nothing. @throws what `take` throws of
   * these rows before it changes anything.
   */
  async probe(stream: string, batch: ColumnBatch, rows: Int32Array | null, count: number): Promise<void> {
    this.#probe(await this.enter(stream, batch, rows, count))
  }

  #probe(entered: readonly Entered[]): void {
    for (const { taken, to } of entered) if (taken.count > 0) to?.step.operator.probe?.(taken.batch, taken.rows, taken.count, to.side)
  }

  #enter(stream: string, rows: Rows): Entered[] {
    const own = this.#entries.filter((entry) => entry.stream === stream)
    return own.map((entry) => this.#entered(entry, rows, run(entry.before, entry.losing?.enter(rows) ?? rows), NO_ROWS))
  }

  /** Of these rows those on which DuckDB fails, with what it could not compute. @throws what else fails. */
  async sift(stream: string, batch: ColumnBatch, rows: Int32Array): Promise<ReadonlyMap<number, string>> {
    const failed = new Map<number, string>()
    for (const { before, losing } of this.#entries.filter((entry) => entry.stream === stream)) {
      const given = { batch, rows, count: rows.length, sift: { ids: null, failed } }
      await runAll(before, losing?.enter(given) ?? given)
    }
    return failed
  }

  /**
   * Rows of a stream up to the operators with state, for `pass`; no state is read or changed. `aside`: rows that are left out; of a
   * table their keys have no row then.
   */
  async enter(
    stream: string,
    batch: ColumnBatch,
    rows: Int32Array | null,
    count: number,
    aside: Int32Array = NO_ROWS,
  ): Promise<readonly Entered[]> {
    const own = this.#entries.filter((entry) => entry.stream === stream)
    const given = { batch, rows, count }
    const all = own.map(async (entry) =>
      this.#entered(entry, given, await runAll(entry.before, entry.losing?.enter(given) ?? given), aside),
    )
    return await Promise.all(all)
  }

  #entered({ losing, to }: Entry, { batch, rows, count }: Rows, taken: Rows, aside: Int32Array): Entered {
    if (!losing) return { taken, to }
    const went = rows === null ? indexes(count) : rows.subarray(0, count)
    const all = aside.length === 0 ? went : Int32Array.from([...went, ...aside]).sort()
    return { taken, to, passed: { path: losing, rows: losing.leave(batch, all, taken) } }
  }

  /** As `enter` and `pass`, where nothing waits for DuckDB. */
  take(stream: string, batch: ColumnBatch, rows: Int32Array | null, count: number): ColumnBatch | null {
    return this.pass(this.#enter(stream, { batch, rows, count }))
  }

  /** Rows that come out at once. */
  pass(entered: readonly Entered[]): ColumnBatch | null {
    // Where a stream goes in twice, no operator may change before all know that they can take the rows.
    if (entered.length > 1) this.#probe(entered)
    const out: ColumnBatch[] = []
    for (const { taken, to, passed } of entered) {
      if (passed) this.#passLosing(passed.path, passed.rows, to, out)
      else this.#pass(taken, to, out)
    }
    return joinBatches(out)
  }

  /** Keys of a table have gone, whose rows are read or looked up. Answers what has gone by that. */
  forget(table: string, batch: ColumnBatch): ColumnBatch | null {
    const out: ColumnBatch[] = []
    for (const { stream, before, losing, to } of this.#entries) {
      if (stream !== table) continue
      if (losing) this.#passLosing(losing, { there: null, gone: losing.keys(batch) }, to, out)
      else {
        const { batch: keys, rows, count } = run(before, { batch, rows: null, count: batch.rows })
        to?.step.operator.forget?.(keys, rows, count)
      }
    }
    return joinBatches(out)
  }

  #passLosing(path: LosingPath, { there, gone }: Passed, to: Port | null, out: ColumnBatch[]): void {
    if (to === null) {
      const marked = path.marked({ there, gone })
      if (marked) out.push(marked)
      return
    }
    const { step } = to
    if (gone) this.#forward(step, step.operator.forget!(gone, null, gone.rows), out)
    if (there) this.#forward(step, step.operator.take(there, null, there.rows, 0), out)
  }

  /** No row of a stream that is still to come came before this, microseconds. */
  settle(arrivedUs: number): void {
    for (const { operator } of this.#steps) operator.settle?.(arrivedUs)
  }

  #pass(rows: Rows, to: Port | null, out: ColumnBatch[]): void {
    if (rows.count === 0) return
    if (to === null) {
      out.push(whole(rows)!)
      return
    }
    const { step, side } = to
    this.#forward(step, step.operator.take(rows.batch, rows.rows, rows.count, side), out)
  }

  #forward({ after, losing, isSigned, to }: Step, batch: ColumnBatch | null | undefined, out: ColumnBatch[]): void {
    if (!batch || batch.rows === 0) return
    if (!losing) this.#pass(run(after, { batch, rows: null, count: batch.rows }), to, out)
    else {
      const all = indexes(batch.rows)
      const signs = isSigned ? (batch.columns.at(-1) as NumberColumn).values : null
      const there = signs ? all.filter((row) => signs[row] === 1) : all
      const groups = isSigned ? { ...batch, columns: batch.columns.slice(0, -1) } : batch
      const taken = run(losing.stages, losing.enter({ batch: groups, rows: there, count: there.length }))
      this.#passLosing(losing, losing.leave(groups, all, taken), to, out)
    }
  }

  /** Rows that are final up to the watermark, microseconds. */
  advance(watermarkUs: number): ColumnBatch | null {
    const out: ColumnBatch[] = []
    for (const step of this.#steps) this.#forward(step, step.operator.advance?.(watermarkUs - step.delayUs), out)
    return joinBatches(out)
  }

  /** Rows of the last operator that are not final yet; what those before it have not given out is not among them. */
  open(): ColumnBatch | null {
    const out: ColumnBatch[] = []
    for (const step of this.#steps) if (step.to === null) this.#forward(step, step.operator.open?.(), out)
    return joinBatches(out)
  }

  changed(): ColumnBatch | null {
    const out: ColumnBatch[] = []
    for (const step of this.#steps) this.#forward(step, step.operator.changed?.(), out)
    return joinBatches(out)
  }

  /** About how many of memory its operators take. */
  get bytes(): number {
    return this.#steps.reduce((sum, { operator }) => sum + operator.bytes, 0)
  }

  /** What they have on the disk. */
  get spilledBytes(): number {
    return this.#steps.reduce((sum, { operator }) => sum + (operator.spilledBytes ?? 0), 0)
  }

  /** Takes no more memory than this, as far as operators can put the rest on the disk; after `changed`. Each has a share by its size. */
  fit(limitBytes: number): void {
    const sizes = this.#steps.map(({ operator }) => (operator.fit ? operator.bytes : 0))
    const all = sizes.reduce((sum, size) => sum + size, 0)
    const room = limitBytes - (this.bytes - all)
    for (const [index, { operator }] of this.#steps.entries()) operator.fit?.((room * sizes[index]!) / Math.max(1, all))
  }

  save(): unknown {
    return this.#steps.map(({ operator }) => operator.save())
  }

  restore(saved: unknown): void {
    // What was on the disk, also for a cut that nobody read to its end.
    this.#scratch?.close()
    for (const [index, { operator }] of this.#steps.entries()) operator.restore((saved as readonly unknown[] | null)?.[index] ?? null)
  }
}

const withSign = (shape: Shape): Shape => ({ fields: [...shape.fields, SIGN] })

/** Rows over windows come later than the watermark says: so do the windows over them. Joins know their sides' own delays. */
const delayOf = (relation: Relation): number => (relation.op === 'group' || relation.op === 'top' ? (relation.window?.delayUs ?? 0) : 0)

/** The last projections in the types and the order of the model's columns. */
function inColumnsOf(root: Relation, model: Shape): Relation {
  if (root.op !== 'project') return root
  const columns = model.fields.map((field, index): NamedExpression => {
    const { value } = root.columns.find(({ name }) => name === field.name) ?? root.columns[index]!
    return { name: field.name, value: fit(value, valueTypeOf(field.type)) }
  })
  return { ...root, columns }
}

/** A contract may want another type of the family. */
function fit(value: Expression, type: ReturnType<typeof valueTypeOf>): Expression {
  const isText = representationOf(type) === 'text' && representationOf(value.type) === 'text'
  return isText ? value : castTo(value, type)
}
