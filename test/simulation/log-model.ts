// The oracle of the log's simulation: what was sent, what was acknowledged, what was ever seen. It knows nothing of how
// the log works; it holds the log to its promises. Records carry an id of their own in their only column.
import assert from 'node:assert/strict'
import type { Append, Appended, Log, LogBatch } from '../../src/log/log.ts'

export const TOPIC = 'clicks'

/** Ids of the records in a payload; an id has no quotes. */
export const idsOf = (payload: Uint8Array): string[] =>
  Buffer.from(payload)
    .toString('latin1')
    .trimEnd()
    .split('\n')
    .map((line) => line.slice(ID_AT, line.indexOf('"', ID_AT)))

const ID_AT = '{"id":"'.length

export class LogModel {
  /** By partition and offset the id that was acknowledged or read there: it can never change again. */
  readonly #fixed: Map<number, string>[] = []
  /** The same from id to offset. */
  readonly #offsets: Map<string, number>[] = []
  readonly #refused = new Set<string>()
  readonly #sent: { readonly partition: number; readonly ids: readonly string[] }[] = []
  readonly #emitted = new Map<string, number>()
  #starts: number[] = []
  acknowledgements = 0
  checks = 0

  /** An acknowledgement: every id has its place, now and forever. */
  acknowledge(parts: readonly Append[], appended: readonly Appended[]): void {
    assert.equal(appended.length, parts.length)
    parts.forEach((part, number) => {
      const { partition, first, last, duplicate } = appended[number]!
      assert.equal(partition, part.partition)
      // Of a repeated emission the log tells where the new rows are; rows it had before stand elsewhere.
      const ids = duplicate && part.emission ? [] : idsOf(part.payload).slice(part.count - (last - first + 1))
      if (!part.emission) assert.equal(last - first + 1, part.count)
      for (const [at, id] of ids.entries()) this.#fix(partition, first + at, id, 'was acknowledged at')
      if (part.emission) this.#note(partition, part.emission.pipeline, part.emission.first + part.count - 1)
    })
    this.acknowledgements++
  }

  /** A part is there as a whole or not at all, whether it was acknowledged or not. */
  sent(parts: readonly Append[]): void {
    for (const part of parts) if (!part.emission) this.#sent.push({ partition: part.partition, ids: idsOf(part.payload) })
  }

  /** Its records are nowhere, now and forever. */
  refused(part: Append): void {
    for (const id of idsOf(part.payload)) this.#refused.add(id)
  }

  /** A batch that a reader got. */
  seen(batch: LogBatch): void {
    const ids = idsOf(batch.payload)
    assert.equal(ids.length, batch.count, 'a batch has as many lines as it says')
    for (const [at, id] of ids.entries()) {
      assert.ok(!this.#refused.has(id), `${id} was refused and is there`)
      this.#fix(batch.partition, batch.baseOffset + at, id, 'was read at')
    }
  }

  #fix(partition: number, offset: number, id: string, how: string): void {
    this.#fixed[partition] ??= new Map()
    this.#offsets[partition] ??= new Map()
    const id0 = this.#fixed[partition].get(offset) ?? id
    const offset0 = this.#offsets[partition].get(id) ?? offset
    if (id !== id0) assert.fail(`${id} ${how} ${partition}/${offset}, where ${id0} was`)
    if (offset !== offset0) assert.fail(`${id} ${how} ${partition}/${offset}, and is at ${offset0} too`)
    this.#fixed[partition].set(offset, id)
    this.#offsets[partition].set(id, offset)
  }

  #note(partition: number, pipeline: string, last: number): void {
    const scope = `${partition} ${pipeline}`
    this.#emitted.set(scope, Math.max(last, this.#emitted.get(scope) ?? -1))
  }

  /** Retention may remove what lies below `offset`. */
  released(partition: number, offset: number): void {
    this.#starts[partition] = Math.max(this.#starts[partition] ?? 0, offset)
  }

  /** Reads everything and compares. */
  async check(log: Log, pipelines: readonly string[]): Promise<void> {
    this.checks++
    const partitions = log.topics()[0]?.partitions.length ?? 0
    for (let partition = 0; partition < partitions; partition++) await this.#checkPartition(log, partition, pipelines)
  }

  async #checkPartition(log: Log, partition: number, pipelines: readonly string[]): Promise<void> {
    const { start, end } = log.range(TOPIC, partition)
    assert.ok(start <= (this.#starts[partition] ?? 0), `partition ${partition} starts at ${start}, which nobody released`)
    const found = new Map<number, string>()
    let lastMs = 0
    for (let offset = start; offset < end; ) {
      const batches = await log.read(TOPIC, partition, offset, this.checks % 4 === 0 ? 700 : 1 << 20)
      assert.ok(batches.length > 0, 'a read below the end answers something')
      for (const batch of batches) {
        assert.equal(batch.baseOffset, offset, 'offsets have no gaps')
        assert.ok(batch.appendTimeMs >= lastMs, 'append time never goes back')
        lastMs = batch.appendTimeMs
        this.seen(batch)
        for (const [at, id] of idsOf(batch.payload).entries()) found.set(offset + at, id)
        offset += batch.count
      }
    }
    assert.equal(new Set(found.values()).size, found.size, 'no record stands twice')
    this.#checkFixed(partition, start, found)
    const there = new Set(found.values())
    for (const part of this.#sent) {
      if (part.partition !== partition || !there.has(part.ids[0]!)) continue
      assert.ok(
        part.ids.every((id) => there.has(id)),
        `of ${part.ids.join(', ')} some are there and some are not`,
      )
    }
    for (const pipeline of pipelines) await this.#checkEmissions(log, partition, pipeline, [...found.values()])
  }

  #checkFixed(partition: number, start: number, found: ReadonlyMap<number, string>): void {
    for (const [offset, id] of this.#fixed[partition] ?? [])
      if (offset >= start && found.get(offset) !== id)
        assert.fail(`${id} was acknowledged or read at ${partition}/${offset}, which has ${found.get(offset)}`)
  }

  /** Numbers ascend one by one, and the log knows the last of them even when retention has removed it. */
  async #checkEmissions(log: Log, partition: number, pipeline: string, ids: readonly string[]): Promise<void> {
    const numbers = ids.filter((id) => id.startsWith(`${pipeline}-`)).map((id) => Number(id.split('-').at(-1)))
    for (const [at, number] of numbers.entries()) assert.equal(number, numbers[0]! + at, `${pipeline} emits without gap or repetition`)
    const last = await log.lastEmission(TOPIC, partition, pipeline)
    if (numbers.length > 0) assert.equal(last, numbers.at(-1), `${pipeline}'s last number`)
    assert.ok(last >= (this.#emitted.get(`${partition} ${pipeline}`) ?? -1), `${pipeline}'s last number survives`)
  }
}
