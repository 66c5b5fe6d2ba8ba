// Aggregates over a row and those before it, OVER (PARTITION BY key ORDER BY time ROWS BETWEEN n PRECEDING AND CURRENT ROW): rows wait
// until the watermark has passed their time, are put in order, and come out with what is aggregated of their frames, which is
// computed anew for each row: a frame is short. Of each partition its last n rows are kept.
import type { Expression } from '../../engine/algebra/expression.ts'
import type { FrameRelation } from '../../engine/algebra/relation.ts'
import type { ColumnBatch } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { microsOf } from '../classify.ts'
import { compileProjection, type Projection } from '../expression/compile.ts'
import { AggregateStates, groupLayout } from './group-table.ts'
import { HeldRows } from './held-rows.ts'
import { KeyTable } from './key-table.ts'
import { joinBatches, type Operator } from './operator.ts'
import { frameShape } from './shape.ts'
import { TimeBuckets } from './time-buckets.ts'

/** Rows that are computed together: each is added to the states once for every frame that it stands in. */
const CHUNK_ROWS = 4_096

export class Frame implements Operator {
  readonly openWindows = 0
  readonly #frame: FrameRelation
  readonly #shape: Shape
  readonly #project: Projection
  /** Columns of the input, arguments of the aggregates, ties. */
  readonly #counts: readonly [number, number, number]
  readonly #types: readonly Expression['type'][]
  #held: HeldRows
  #keys: KeyTable
  #waiting = new TimeBuckets()
  /** By partition: slots of its last rows, in order. */
  #last = new Map<number, number[]>()

  constructor(frame: FrameRelation, input: Shape) {
    this.#frame = frame
    this.#shape = frameShape(frame, input)
    const columns = input.fields.map(({ name, type }): Expression => ({ op: 'column', name, type, optional: true }))
    const { inputs } = groupLayout([], frame.aggregates)
    const held = [...columns, ...inputs, ...frame.ties]
    this.#project = compileProjection([frame.time, ...frame.partition, ...held], input)
    this.#counts = [columns.length, inputs.length, frame.ties.length]
    this.#types = held.map(({ type }) => type)
    this.#held = new HeldRows(this.#types)
    this.#keys = this.#makeKeys()
  }

  #makeKeys(): KeyTable {
    return new KeyTable(this.#frame.partition.map(({ type }) => type))
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number): void {
    this.#project(batch.columns, rows, count)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number): null {
    const [time, ...columns] = this.#project(batch.columns, rows, count)
    const size = this.#frame.partition.length
    const groups = this.#keys.find(columns.slice(0, size), null, count)
    const times = microsOf(time!)
    const kept = columns.slice(size)
    for (let i = 0; i < count; i++) this.#waiting.add(times[i]!, this.#held.add(groups[i]!, times[i]!, kept, i, 0))
    return null
  }

  advance(watermarkUs: number): ColumnBatch | null {
    const slots = this.#waiting.take(watermarkUs - this.#frame.delayUs, this.#held.times).sort((a, b) => this.#compare(a, b))
    const out: ColumnBatch[] = []
    for (let from = 0; from < slots.length; from += CHUNK_ROWS) out.push(this.#compute(slots.slice(from, from + CHUNK_ROWS)))
    return joinBatches(out)
  }

  #compare(a: number, b: number): number {
    const [columns, inputs, ties] = this.#counts
    const from = columns + inputs
    return this.#held.times.at(a) - this.#held.times.at(b) || this.#held.compare(a, b, from, from + ties)
  }

  /** Rows in order. */
  #compute(slots: readonly number[]): ColumnBatch {
    const held = this.#held
    const [members, frames, gone]: [number[], number[], number[]] = [[], [], []]
    for (const [i, slot] of slots.entries()) {
      const group = held.groupOf(slot)
      const last = this.#last.get(group) ?? []
      this.#last.set(group, last)
      last.push(slot)
      for (const member of last) {
        members.push(member)
        frames.push(i)
      }
      if (last.length > this.#frame.preceding) gone.push(last.shift()!)
      held.flags.put(slot, 1)
    }
    const [columns, inputs] = this.#counts
    const states = new AggregateStates(this.#frame.aggregates)
    const args = held.columns(Int32Array.from(members), members.length, columns + inputs).slice(columns)
    states.add(Int32Array.from(frames), args, null, members.length)
    const all = Int32Array.from(slots, (_, i) => i)
    const own = held.columns(Int32Array.from(slots), slots.length, columns)
    for (const slot of gone) held.remove(slot)
    return { shape: this.#shape, rows: slots.length, columns: [...own, ...states.columns(all, slots.length)] }
  }

  open(): null {
    return null
  }

  changed(): null {
    return null
  }

  get bytes(): number {
    return this.#held.bytes + this.#keys.bytes
  }

  save(): unknown {
    return { keys: this.#keys.save(), held: this.#held.save() }
  }

  restore(saved: unknown): void {
    this.#keys = this.#makeKeys()
    this.#held = new HeldRows(this.#types)
    this.#waiting = new TimeBuckets()
    this.#last = new Map()
    if (saved === null) return
    const { keys, held } = saved as { keys: unknown; held: unknown }
    this.#keys.restore(keys)
    this.#held.restore(held)
    const kept: number[] = []
    for (const slot of this.#held.slots()) {
      if (this.#held.flags.at(slot) === 1) kept.push(slot)
      else this.#waiting.add(this.#held.times.at(slot), slot)
    }
    this.#last = Map.groupBy(
      kept.sort((a, b) => this.#compare(a, b)),
      (slot) => this.#held.groupOf(slot),
    )
  }
}
