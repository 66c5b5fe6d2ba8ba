// A store of records against a map, through growth, replacement, times, collected segments, cuts that are read later, and restarts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SEED } from '../../../test/seed.ts'
import { integer, type Random, seededRandom } from '../../core/random.ts'
import { memoryScratch } from '../../core/scratch.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import { asStored, OpenCuts } from '../testing.ts'
import { ColdStore, type Recorded } from './cold-store.ts'

interface Entry {
  readonly value: string
  readonly due: number
}

/** Groups are the keys themselves. Hashes of several keys are the same. */
class Model implements Recorded {
  readonly entries = new Map<number, Entry>()

  hashOf(group: number): number {
    return Math.imul(group >> 1, 0x9e3779b1)
  }

  isKey(group: number, from: RecordReader): boolean {
    return from.int() === group
  }

  write(group: number, out: RecordWriter): void {
    out.int(group)
    out.string(this.entries.get(group)!.value)
  }

  dueOf(group: number): number {
    return this.entries.get(group)!.due
  }
}

const read = (from: RecordReader): readonly [number, string] => [from.int(), from.string()]

const some = (random: Random, most: number): Int32Array =>
  Int32Array.from(new Set(Array.from({ length: 1 + integer(random, 60) }, () => integer(random, most))))

for (const isTimed of [false, true])
  test(`a store is a map of what was put there last${isTimed ? ', and gives what is due once' : ''}`, () => {
    const seed = SEED
    console.log(`seed ${seed}`)
    const random = seededRandom(seed)
    const scratch = memoryScratch()
    const open = (): ColdStore => new ColdStore(scratch, isTimed, 4_096)
    const model = new Model()
    let store = open()
    const cuts = new OpenCuts()
    let most = 0
    for (let step = 0; step < 1_000; step++) {
      const keys = some(random, 1_500)
      if (random.next() < 0.5) {
        for (const key of keys)
          model.entries.set(key, {
            value: 'é'.repeat(integer(random, random.next() < 0.01 ? 3_000 : 20)),
            due: step + integer(random, 300),
          })
        store.put(keys, model)
      } else {
        const found = new Map<number, string>()
        store.find(keys, model, (group, from) => {
          const [key, value] = read(from)
          assert.equal(key, group)
          found.set(key, value)
        })
        const expected = [...keys].flatMap((key) => (model.entries.has(key) ? [[key, model.entries.get(key)!.value] as const] : []))
        assert.deepEqual([...found].sort(), expected.sort())
        if (isTimed) for (const key of keys) model.entries.delete(key)
      }
      if (isTimed && random.next() < 0.2) {
        const due = new Set<number>()
        store.takeDue(step, (_, from) => void due.add(read(from)[0]))
        assert.deepEqual(due, new Set([...model.entries].flatMap(([key, entry]) => (entry.due <= step ? [key] : []))))
        for (const key of due) model.entries.delete(key)
      }
      assert.equal(store.records, model.entries.size)
      if (random.next() < 0.02) cuts.take(store)
      if (random.next() < 0.02) {
        for (const [now, then] of cuts.close()) assert.deepEqual(now, then)
        const saved = asStored(store.save())
        store.close()
        scratch.close()
        store = open()
        store.restore(saved)
      }
      most = Math.max(most, scratch.files.size)
    }
    for (const [now, then] of cuts.close()) assert.deepEqual(now, then)
    const all = new Map<number, string>()
    for (let at: number | null = 0; at !== null; ) at = store.visit(at, 10, (_, from) => void all.set(...read(from)))
    assert.deepEqual([...all].sort(), [...model.entries].map(([key, { value }]) => [key, value]).sort())
    assert.ok(most > 3 && most < 200, `${most} files`)
    store.close()
    assert.equal(scratch.files.size, 0)
  })

test('what is kept of files is in proportion to the records, and memory to the buckets', () => {
  const scratch = memoryScratch()
  const store = new ColdStore(scratch, false, 16_384)
  const model = new Model()
  const keys = Int32Array.from({ length: 20_000 }, (_, key) => key)
  for (const key of keys) model.entries.set(key, { value: 'some value of a key', due: 0 })
  for (let from = 0; from < keys.length; from += 500) store.put(keys.subarray(from, from + 500), model)
  for (let round = 0; round < 400; round++) store.put(some(seededRandom(round), 20_000), model)
  const stored = [...scratch.files].length * 16_384
  assert.ok(stored < 4 * (store.storedBytes + 16_384), `${stored} bytes for ${store.storedBytes}`)
  assert.ok(store.bytes < 6 * keys.length, `${store.bytes} bytes of memory`)
})
