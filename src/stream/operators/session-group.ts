// Sessions: rows of one key that follow each other within less than the gap. A row may open one, extend one, or join two; a
// timer closes each when the watermark has passed its end, so that no closing looks at sessions that stay open.
import type { GroupRelation, Window } from '../../engine/algebra/relation.ts'
import type { Column, ColumnBatch } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { microsOf } from '../classify.ts'
import { compileProjection, type Projection } from '../expression/compile.ts'
import { AggregateStates, groupLayout } from './group-table.ts'
import { KeyTable } from './key-table.ts'
import type { Operator } from './operator.ts'
import { grown, type Packed, pack, unpackDoubles, unpackInts } from './pack.ts'
import { groupShape } from './shape.ts'
import { TimerHeap } from './timer-heap.ts'

interface Saved {
  readonly keys: unknown
  readonly states: unknown
  readonly start: Packed
  readonly last: Packed
  readonly key: Packed
}

/** Keys without a session are forgotten when they are this many and more than half. */
const IDLE_KEYS_MIN = 1_024

const NONE = -1

export class SessionGroup implements Operator {
  readonly #group: GroupRelation
  readonly #gapUs: number
  readonly #project: Projection
  readonly #shape: Shape
  #keys: KeyTable
  /** First session of a key; they are chained by `#next`. */
  #head: Int32Array = new Int32Array(0)
  #idleKeys = 0
  #states: AggregateStates
  /** By session; those of key -1 are free. */
  #key: Int32Array = new Int32Array(0)
  #start: Float64Array = new Float64Array(16)
  #last: Float64Array = new Float64Array(16)
  #next: Int32Array = new Int32Array(0)
  #stamp: Int32Array = new Int32Array(16)
  #sessions = 0
  #free: number[] = []
  #timers = new TimerHeap()

  constructor(group: GroupRelation, window: Extract<Window, { kind: 'session' }>, input: Shape) {
    this.#group = group
    this.#gapUs = window.gapUs
    this.#project = compileProjection([window.time, ...groupLayout(group.keys, group.aggregates).inputs], input)
    this.#shape = groupShape(group)
    this.#keys = this.#noKeys()
    this.#states = new AggregateStates(group.aggregates)
  }

  #noKeys(): KeyTable {
    return new KeyTable(this.#group.keys.map(({ value }) => value.type))
  }

  get openWindows(): number {
    return this.#sessions - this.#free.length
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number): void {
    this.#project(batch.columns, rows, count)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number): null {
    const [time, key, ...columns] = this.#project(batch.columns, rows, count)
    const times = microsOf(time!)
    const keys = this.#keys.find([key!], null, count)
    this.#fitKeys()
    const sessions = new Int32Array(count)
    /** Sessions that were joined to others by this batch. */
    const joined = new Map<number, number>()
    for (let i = 0; i < count; i++) sessions[i] = this.#place(keys[i]!, times[i]!, joined)
    if (joined.size > 0) for (let i = 0; i < count; i++) sessions[i] = follow(joined, sessions[i]!)
    this.#states.add(sessions, columns, null, count)
    for (const session of joined.keys()) this.#free.push(session)
    return null
  }

  #fitKeys(): void {
    const old = this.#head.length
    this.#head = grown(this.#head, this.#keys.size)
    this.#head.fill(NONE, old)
  }

  /** The session of a row: all sessions of the key that it touches become the first of them. */
  #place(key: number, time: number, joined: Map<number, number>): number {
    let own = NONE
    let before = NONE
    for (let session = this.#head[key]!; session !== NONE; ) {
      const next = this.#next[session]!
      const isNear = time > this.#start[session]! - this.#gapUs && time < this.#last[session]! + this.#gapUs
      if (!isNear) before = session
      else if (own === NONE) {
        own = session
        before = session
        this.#start[own] = Math.min(this.#start[own]!, time)
        this.#last[own] = Math.max(this.#last[own]!, time)
      } else {
        this.#start[own] = Math.min(this.#start[own]!, this.#start[session]!)
        this.#last[own] = Math.max(this.#last[own]!, this.#last[session]!)
        this.#states.join(session, own)
        joined.set(session, own)
        this.#key[session] = NONE
        this.#next[before] = next
      }
      session = next
    }
    return own === NONE ? this.#begin(key, time) : own
  }

  #begin(key: number, time: number): number {
    const session = this.#free.pop() ?? this.#sessions++
    const old = this.#key.length
    this.#key = grown(this.#key, session + 1)
    this.#key.fill(NONE, old)
    this.#start = grown(this.#start, session + 1)
    this.#last = grown(this.#last, session + 1)
    this.#next = grown(this.#next, session + 1)
    this.#stamp = grown(this.#stamp, session + 1)
    this.#key[session] = key
    this.#start[session] = time
    this.#last[session] = time
    if (this.#head[key] === NONE) this.#idleKeys = Math.max(0, this.#idleKeys - 1)
    this.#next[session] = this.#head[key]!
    this.#head[key] = session
    this.#timers.push(time + this.#gapUs, session, ++this.#stamp[session]!)
    return session
  }

  advance(watermarkUs: number): ColumnBatch | null {
    const closed: number[] = []
    while (this.#timers.first <= watermarkUs) {
      const { slot, stamp } = this.#timers.pop()
      if (this.#key[slot] === NONE || this.#stamp[slot] !== stamp) continue
      const end = this.#last[slot]! + this.#gapUs
      if (end <= watermarkUs) closed.push(slot)
      else this.#timers.push(end, slot, stamp)
    }
    if (closed.length === 0) return null
    const rows = this.#rowsOf(Int32Array.from(closed))
    for (const session of closed) this.#end(session)
    if (this.#idleKeys > IDLE_KEYS_MIN && this.#idleKeys * 2 > this.#keys.size) this.#forgetKeys()
    return rows
  }

  #end(session: number): void {
    const key = this.#key[session]!
    let at = this.#head[key]!
    if (at === session) this.#head[key] = this.#next[session]!
    else {
      while (this.#next[at] !== session) at = this.#next[at]!
      this.#next[at] = this.#next[session]!
    }
    if (this.#head[key] === NONE) this.#idleKeys++
    this.#key[session] = NONE
    this.#states.clear(session)
    this.#free.push(session)
  }

  /** A new table of the keys that have sessions. */
  #forgetKeys(): void {
    const live: number[] = []
    for (let key = 0; key < this.#keys.size; key++) if (this.#head[key] !== NONE) live.push(key)
    const kept = Int32Array.from(live)
    const columns = this.#keys.columns(kept, kept.length)
    this.#keys = this.#noKeys()
    const found = this.#keys.find(columns, null, kept.length)
    const head = new Int32Array(kept.length)
    for (let i = 0; i < kept.length; i++) {
      head[found[i]!] = this.#head[kept[i]!]!
      for (let session = head[found[i]!]!; session !== NONE; session = this.#next[session]!) this.#key[session] = found[i]!
    }
    this.#head = head
    this.#idleKeys = 0
  }

  open(): ColumnBatch | null {
    const open = this.#openSessions()
    return open.length === 0 ? null : this.#rowsOf(open)
  }

  #openSessions(): Int32Array {
    const open: number[] = []
    for (let session = 0; session < this.#sessions; session++) if (this.#key[session] !== NONE) open.push(session)
    return Int32Array.from(open)
  }

  changed(): null {
    return null
  }

  #rowsOf(sessions: Int32Array): ColumnBatch {
    const count = sessions.length
    const bound = (of: (session: number) => number): Column => ({
      kind: 'integer',
      values: Float64Array.from(sessions, of),
      big: null,
      nulls: null,
    })
    const keys = Int32Array.from(sessions, (session) => this.#key[session]!)
    return {
      shape: this.#shape,
      rows: count,
      columns: [
        bound((session) => this.#start[session]!),
        bound((session) => this.#last[session]! + this.#gapUs),
        ...this.#keys.columns(keys, count),
        ...this.#states.columns(sessions, count),
      ],
    }
  }

  get bytes(): number {
    return this.#keys.bytes + this.#states.bytes + 28 * this.#start.length + this.#head.byteLength
  }

  save(): Saved {
    const size = this.#sessions
    return {
      keys: this.#keys.save(),
      states: this.#states.save(size),
      start: pack(this.#start, size),
      last: pack(this.#last, size),
      key: pack(this.#key, size),
    }
  }

  restore(saved: unknown): void {
    this.#keys = this.#noKeys()
    this.#states = new AggregateStates(this.#group.aggregates)
    this.#timers = new TimerHeap()
    this.#head = new Int32Array(0)
    this.#free = []
    this.#idleKeys = 0
    this.#sessions = 0
    this.#key = new Int32Array(0)
    if (!saved) return
    const { keys, states, start, last, key } = saved as Saved
    this.#keys.restore(keys)
    this.#states.restore(states)
    this.#start = unpackDoubles(start)
    this.#last = unpackDoubles(last)
    this.#key = unpackInts(key)
    this.#sessions = this.#key.length
    this.#next = new Int32Array(this.#sessions)
    this.#stamp = new Int32Array(Math.max(16, this.#sessions))
    this.#fitKeys()
    for (let session = 0; session < this.#sessions; session++) this.#chain(session)
    for (let at = 0; at < this.#keys.size; at++) if (this.#head[at] === NONE) this.#idleKeys++
  }

  /** A restored session: into the chain of its key, with a timer; or free. */
  #chain(session: number): void {
    const key = this.#key[session]!
    if (key === NONE) {
      this.#free.push(session)
      return
    }
    this.#next[session] = this.#head[key]!
    this.#head[key] = session
    this.#timers.push(this.#last[session]! + this.#gapUs, session, this.#stamp[session]!)
  }
}

function follow(joined: ReadonlyMap<number, number>, session: number): number {
  let at = session
  for (let next = joined.get(at); next !== undefined; next = joined.get(at)) at = next
  return at
}
