// Sessions: rows of one key that follow each other within less than the gap. A row may open one, extend one, or join two; a
// timer closes each when the watermark has passed its end, so that no closing looks at sessions that stay open.
import type { GroupRelation, Window } from '../../engine/algebra/relation.ts'
import type { Column, ColumnBatch } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { microsOf } from '../classify.ts'
import { compileProjection, type Projection } from '../expression/compile.ts'
import type { FrozenLeaf } from '../state-tree.ts'
import { AggregateStates, groupLayout } from './group-table.ts'
import { KeyTable } from './key-table.ts'
import type { Operator } from './operator.ts'
import type { Packed } from './pack.ts'
import { Doubles, Ints } from './paged.ts'
import { groupShape } from './shape.ts'
import { TimerHeap } from './timer-heap.ts'

interface Saved<Leaf> {
  readonly keys: unknown
  readonly states: unknown
  readonly start: Leaf
  readonly last: Leaf
  readonly key: Leaf
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
  #head = new Ints(NONE)
  #idleKeys = 0
  #states: AggregateStates
  /** By session; those of key -1 are free. */
  #key = new Ints(NONE)
  #start = new Doubles()
  #last = new Doubles()
  #next = new Ints()
  #stamp = new Ints()
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
    const sessions = new Int32Array(count)
    /** Sessions that were joined to others by this batch. */
    const joined = new Map<number, number>()
    for (let i = 0; i < count; i++) sessions[i] = this.#place(keys[i]!, times[i]!, joined)
    if (joined.size > 0) for (let i = 0; i < count; i++) sessions[i] = follow(joined, sessions[i]!)
    this.#states.add(sessions, columns, null, count)
    for (const session of joined.keys()) this.#free.push(session)
    return null
  }

  /** The session of a row: all sessions of the key that it touches become the first of them. */
  #place(key: number, time: number, joined: Map<number, number>): number {
    let own = NONE
    let before = NONE
    for (let session = this.#head.at(key); session !== NONE; ) {
      const next = this.#next.at(session)
      const isNear = time > this.#start.at(session) - this.#gapUs && time < this.#last.at(session) + this.#gapUs
      if (!isNear) before = session
      else if (own === NONE) {
        own = session
        before = session
        this.#start.put(own, Math.min(this.#start.at(own), time))
        this.#last.put(own, Math.max(this.#last.at(own), time))
      } else {
        this.#start.put(own, Math.min(this.#start.at(own), this.#start.at(session)))
        this.#last.put(own, Math.max(this.#last.at(own), this.#last.at(session)))
        this.#states.join(session, own)
        joined.set(session, own)
        this.#key.put(session, NONE)
        this.#next.put(before, next)
      }
      session = next
    }
    return own === NONE ? this.#begin(key, time) : own
  }

  #begin(key: number, time: number): number {
    const session = this.#free.pop() ?? this.#sessions++
    this.#key.put(session, key)
    this.#start.put(session, time)
    this.#last.put(session, time)
    if (this.#head.at(key) === NONE) this.#idleKeys = Math.max(0, this.#idleKeys - 1)
    this.#next.put(session, this.#head.at(key))
    this.#head.put(key, session)
    this.#timers.push(time + this.#gapUs, session, this.#stampAgain(session))
    return session
  }

  /** Another use of the slot: its timers of before are not its own. */
  #stampAgain(session: number): number {
    const stamp = this.#stamp.at(session) + 1
    this.#stamp.put(session, stamp)
    return stamp
  }

  advance(watermarkUs: number): ColumnBatch | null {
    const closed: number[] = []
    while (this.#timers.first <= watermarkUs) {
      const { slot, stamp } = this.#timers.pop()
      if (this.#key.at(slot) === NONE || this.#stamp.at(slot) !== stamp) continue
      const end = this.#last.at(slot) + this.#gapUs
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
    const key = this.#key.at(session)
    let at = this.#head.at(key)
    if (at === session) this.#head.put(key, this.#next.at(session))
    else {
      while (this.#next.at(at) !== session) at = this.#next.at(at)
      this.#next.put(at, this.#next.at(session))
    }
    if (this.#head.at(key) === NONE) this.#idleKeys++
    this.#key.put(session, NONE)
    this.#states.clear(session)
    this.#free.push(session)
  }

  /** A new table of the keys that have sessions. */
  #forgetKeys(): void {
    const live: number[] = []
    for (let key = 0; key < this.#keys.size; key++) if (this.#head.at(key) !== NONE) live.push(key)
    const kept = Int32Array.from(live)
    const columns = this.#keys.columns(kept, kept.length)
    this.#keys = this.#noKeys()
    const found = this.#keys.find(columns, null, kept.length)
    const head = new Ints(NONE)
    for (let i = 0; i < kept.length; i++) {
      head.put(found[i]!, this.#head.at(kept[i]!))
      for (let session = head.at(found[i]!); session !== NONE; session = this.#next.at(session)) this.#key.put(session, found[i]!)
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
    for (let session = 0; session < this.#sessions; session++) if (this.#key.at(session) !== NONE) open.push(session)
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
    const keys = Int32Array.from(sessions, (session) => this.#key.at(session))
    return {
      shape: this.#shape,
      rows: count,
      columns: [
        bound((session) => this.#start.at(session)),
        bound((session) => this.#last.at(session) + this.#gapUs),
        ...this.#keys.columns(keys, count),
        ...this.#states.columns(sessions, count),
      ],
    }
  }

  get bytes(): number {
    return this.#keys.bytes + this.#states.bytes + 28 * this.#start.length + this.#head.bytes
  }

  save(): Saved<FrozenLeaf> {
    const size = this.#sessions
    return {
      keys: this.#keys.save(),
      states: this.#states.save(size),
      start: this.#start.freeze(size),
      last: this.#last.freeze(size),
      key: this.#key.freeze(size),
    }
  }

  restore(saved: unknown): void {
    this.#keys = this.#noKeys()
    this.#states = new AggregateStates(this.#group.aggregates)
    this.#timers = new TimerHeap()
    this.#head = new Ints(NONE)
    this.#free = []
    this.#idleKeys = 0
    this.#sessions = 0
    this.#key = new Ints(NONE)
    this.#next = new Ints()
    this.#stamp = new Ints()
    if (!saved) return
    const { keys, states, start, last, key } = saved as Saved<Packed>
    this.#keys.restore(keys)
    this.#states.restore(states)
    this.#start.restore(start)
    this.#last.restore(last)
    this.#sessions = this.#key.restore(key)
    for (let session = 0; session < this.#sessions; session++) this.#chain(session)
    for (let at = 0; at < this.#keys.size; at++) if (this.#head.at(at) === NONE) this.#idleKeys++
  }

  /** A restored session: into the chain of its key, with a timer; or free. */
  #chain(session: number): void {
    const key = this.#key.at(session)
    if (key === NONE) {
      this.#free.push(session)
      return
    }
    this.#next.put(session, this.#head.at(key))
    this.#head.put(key, session)
    this.#timers.push(this.#last.at(session) + this.#gapUs, session, this.#stamp.at(session))
  }
}

function follow(joined: ReadonlyMap<number, number>, session: number): number {
  let at = session
  for (let next = joined.get(at); next !== undefined; next = joined.get(at)) at = next
  return at
}
