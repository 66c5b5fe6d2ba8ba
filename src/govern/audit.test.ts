// The audit trail over a real control database: every change of a record, its loss and another order show.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { VirtualClock } from '../core/clock.ts'
import { openStore } from '../store/open-store.ts'
import { type AuditRecord, hashRecord, openAudit, verifyChain } from './audit.ts'

const who = { user: 'ada', tokenId: 't', roles: [{ name: 'analyst', attributes: {} }], isAdmin: false }

function chainOf(length: number): AuditRecord[] {
  const records: AuditRecord[] = []
  for (let sequence = 1; sequence <= length; sequence++) {
    const previousHash = records.at(-1)?.hash ?? '0'.repeat(64)
    const bare = {
      sequence,
      atMs: sequence * 10,
      user: 'ada',
      roles: ['a'],
      action: 'query',
      object: 'orders',
      outcome: 'ok',
      detail: { rows: sequence },
      previousHash,
    }
    records.push({ ...bare, hash: hashRecord(bare) })
  }
  return records
}

test('a whole chain holds; a flip, a loss, an insertion or another order shows at its place', () => {
  assert.equal(verifyChain(chainOf(20), null), null)
  const [place, member] = [
    fc.integer({ min: 0, max: 18 }),
    fc.constantFrom('atMs', 'user', 'roles', 'action', 'object', 'outcome', 'detail', 'hash'),
  ]
  fc.assert(
    fc.property(place, member, fc.constantFrom('flip', 'delete', 'swap', 'repeat'), (index, name, how) => {
      const records: AuditRecord[] = chainOf(20)
      if (how === 'flip')
        records[index] = { ...records[index]!, [name]: name === 'roles' ? ['b'] : name === 'detail' ? {} : name === 'atMs' ? 1 : 'x' }
      if (how === 'delete') records.splice(index, 1)
      if (how === 'swap') [records[index], records[index + 1]] = [records[index + 1]!, records[index]!]
      if (how === 'repeat') records.splice(index, 0, records[index]!)
      const fault = verifyChain(records, null)
      assert.ok(fault && Math.abs(fault.sequence - index - 1) <= 1, `${how} ${name} at ${index}: ${JSON.stringify(fault)}`)
    }),
  )
})

test('records are durable in the order given, and a changed database is found', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'audit-'))
  const store = openStore(join(directory, 'control.db'))
  const audit = openAudit(store, new VirtualClock(5))
  const entry = (object: string) => ({ action: 'query:sql', object, outcome: 'ok', detail: { rows: 1, skipped: undefined } })
  await Promise.all(Array.from({ length: 50 }, (_, index) => audit.record(who, entry(`r${index}`))))
  const records = await audit.read(0, 100)
  assert.deepEqual(
    records.map((record) => record.object),
    Array.from({ length: 50 }, (_, index) => `r${index}`),
  )
  assert.equal(await audit.verify(), null)
  await store.write(async (tx) => void (await tx.updateTable('audit').set({ object: 'x' }).where('sequence', '=', 30).execute()))
  assert.equal((await audit.verify())?.sequence, 30)
  await store.write(async (tx) => void (await tx.deleteFrom('audit').where('sequence', '=', 12).execute()))
  assert.equal((await audit.verify())?.sequence, 13)
  await store.close()
  await rm(directory, { recursive: true })
})
