// An append that follows what others did: each file is in the new list once, also where the append joined old manifests, and
// the totals are those of both.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeDisk } from '../../../test/simulation/fake-disk.ts'
import { seededRandom } from '../../core/random.ts'
import { newMetadata } from '../apply-definition.ts'
import { MetadataFiles } from '../metadata-files.ts'
import { type Base, stageChange } from '../stage-change.ts'
import { type SnapshotJson, toLakeTable } from '../table-metadata.ts'
import type { DataFile, TableChange } from '../types.ts'
import { restageAppend } from './restage-append.ts'

const NOW_MS = 1_000

async function setUp() {
  const random = seededRandom(1)
  const files = new MetadataFiles(new FakeDisk(random, { nowMs: () => NOW_MS }), random)
  const create = {
    name: 't',
    shape: { fields: [{ name: 'id', type: { kind: 'long' }, optional: false }] },
    partition: [],
    cluster: [],
    key: [],
  } as const
  const metadata = newMetadata({ create, uuid: 'u', location: 'file:///lake/t', nowMs: NOW_MS })
  for (const part of ['data', 'metadata']) await files.makeDirectory(`/lake/t/${part}`)
  const location = await files.writeMetadata(metadata, null)
  const file = (name: string): DataFile => ({
    path: `/lake/t/data/${name}.parquet`,
    rows: 2,
    sizeBytes: 10,
    specId: 0,
    partition: {},
    columns: new Map(),
  })
  return {
    files,
    base: { name: 't', location, metadata, table: toLakeTable('t', location, metadata) } as Base,
    async append(base: Base, name: string, change: Partial<TableChange> = {}): Promise<Base> {
      const asked: TableChange = { table: 't', operation: 'append', add: [file(name)], remove: [], ...change }
      const { to, metadata: next } = await stageChange(base, asked, { files, random, nowMs: NOW_MS })
      return { name: 't', location: to, metadata: next, table: toLakeTable('t', to, next) }
    },
  }
}

test('an append that joined old manifests brings only what is new', async () => {
  const { files, base, append } = await setUp()
  let before = base
  for (let i = 0; i < 100; i++) before = await append(before, `old${i}`)
  const mine = await append(before, 'mine')
  const theirs = await append(before, 'theirs')
  assert.ok((await files.list(mine.table.current!.manifestList)).length < 10, 'the old manifests were joined')
  const commit = await restageAppend({ files }, { before: before.metadata, after: mine.metadata, now: theirs.metadata })
  const { snapshot } = commit!.updates[0] as unknown as { snapshot: SnapshotJson }
  const sequences = new Map<string, number>()
  const paths: string[] = []
  for (const manifest of await files.list(snapshot['manifest-list']))
    for (const { file, sequence } of await files.entries(manifest, theirs.table)) {
      const name = file.path.split('/').at(-1)!.split('.')[0]!
      paths.push(name)
      sequences.set(name, sequence)
    }
  assert.deepEqual([sequences.get('old99'), sequences.get('theirs'), sequences.get('mine')], [100, 101, 102])
  assert.deepEqual(paths.sort(), [...Array.from({ length: 100 }, (_, i) => `old${i}`), 'mine', 'theirs'].sort())
  const { summary } = snapshot
  assert.deepEqual([summary['total-records'], summary['total-data-files'], summary['total-files-size']], ['204', '102', '1020'])
  assert.equal(summary['added-records'], '2')
})

test('rows with a changed definition do not follow others', async () => {
  const { files, base, append } = await setUp()
  const before = await append(base, 'old')
  const shape = {
    fields: [
      { name: 'id', type: { kind: 'long' }, optional: false },
      { name: 'more', type: { kind: 'string' }, optional: true },
    ],
  } as const
  const mine = await append(before, 'mine', { shape })
  const theirs = await append(before, 'theirs')
  assert.equal(await restageAppend({ files }, { before: before.metadata, after: mine.metadata, now: theirs.metadata }), null)
})
