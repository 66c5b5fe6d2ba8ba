// A log of entries answers the last line of each key, whatever was put, removed, cut and read again; and what a checkpoint was given
// does not change any more. Against a Map.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EntryLog, hashOf, type LoggedLines } from './entry-log.ts'

/** Those with escapes, of several bytes, of none, and many that look alike. */
const key = fc.oneof(
  fc.constantFrom('', 'a', 'b"', 'c\\', 'é', '\ud800', '\n', 'x'.repeat(70_000), 'ключ'),
  fc.nat(30).map((n) => `key ${n}`),
)
const step = fc.record({
  does: fc.constantFrom('put', 'put', 'put', 'put', 'remove', 'cut', 'whole', 'compact', 'reload'),
  key,
  size: fc.oneof(fc.nat(30), fc.constantFrom(500, 70_000)),
})

test('it holds the last line of each key; checkpoints keep theirs', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150, size: 'max' }), (steps) => {
      let log = new EntryLog()
      const lines = new Map<string, string>()
      const given: { readonly part: Uint8Array; readonly copy: Buffer }[] = []
      /** The chain of the checkpoints. */
      let chain: Uint8Array[] = []
      const take = ({ base, added }: LoggedLines): void => {
        const parts = [...(base ?? []), ...added]
        for (const part of parts) given.push({ part, copy: Buffer.from(part) })
        chain = base ? parts : [...chain, ...parts]
      }
      for (const [n, { does, key, size }] of steps.entries()) {
        if (does === 'put') {
          const line = `${JSON.stringify([key, [n, 'é'.repeat(size)]])}\n`
          log.put(key, hashOf(key), n % 3 === 0 ? ` ${line}` : line)
          lines.set(key, n % 3 === 0 ? ` ${line}` : line)
        }
        if (does === 'remove') assert.equal(log.remove(key, hashOf(key)), lines.delete(key))
        // Only what is added to the chain is asked for once it has begun.
        if (does === 'cut') take(log.cut(chain.length === 0))
        if (does === 'compact') log.compact()
        if (does === 'whole' || does === 'compact') take(log.cut(true))
        if (does === 'reload') {
          take(log.cut(chain.length === 0))
          log = new EntryLog()
          log.load(
            chain.map((part) => Buffer.from(part)),
            true,
          )
        }
        assert.equal(log.size, lines.size)
        const position = log.find(key, hashOf(key))
        assert.equal(position >= 0 ? log.text(position).trim() : null, lines.get(key)?.trim() ?? null)
        if (position >= 0) assert.equal(log.isMarked(position), lines.get(key)!.startsWith(' '))
      }
      const all = Array.from(log.positions(), (position) => log.text(position).trim())
      assert.deepEqual(all.sort(), [...lines.values()].map((line) => line.trim()).sort())
      for (const { part, copy } of given) assert.ok(copy.equals(part))
    }),
    { numRuns: 60 },
  )
})
