// Deletes by key against real files: keys of every kind that the engine keeps otherwise than the table does.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { diskLake } from '../../test/simulation/disk-lake.ts'
import type { TableManifest } from '../define/manifest.ts'
import { scanSql } from '../engine/scan.ts'
import { openTestEngine } from '../engine/testing.ts'
import { writeParquet } from '../engine/write.ts'
import type { Log } from '../log/log.ts'
import type { Type } from '../schema/type.ts'
import { deleteRows } from './delete-rows.ts'

const LIMITS = { bodyBytesMax: 1_000_000, decodedBytesMax: 1_000_000 }

for (const [type, numbers] of [
  [{ kind: 'decimal', precision: 20, scale: 2 }, ['9', '10', '250']],
  [{ kind: 'decimal', precision: 5, scale: 1 }, ['9', '10', '250']],
  [{ kind: 'long' }, ['9', '10', '250']],
] as const satisfies readonly (readonly [Type, readonly string[]])[])
  test(`keys of ${JSON.stringify(type)} are found in their files`, async () => {
    await using engine = await openTestEngine()
    const { session, directory } = engine
    const lake = diskLake(`${directory}/lake`)
    const shape = { fields: [{ name: 'id', type, optional: false }] }
    const empty = await lake.create({ name: 't', shape, partition: [], cluster: ['id'], key: ['id'] })
    const select = 'SELECT i AS id FROM range(300) AS r(i)'
    const add = await writeParquet(session, { select, table: empty, directory: lake.dataDirectory(empty), rowsPerFile: 50 })
    await lake.commit([{ table: 't', operation: 'append', add, remove: [] }])
    const relation: TableManifest = {
      kind: 'table',
      name: 't',
      at: 'project.ts:1',
      tags: [],
      shape,
      partition: [],
      cluster: ['id'],
      keep: { logMs: 1 },
      key: ['id'],
      source: { kind: 'none' },
      load: 'upsert',
    }
    const body = Buffer.from(numbers.map((number) => `{"id":"${number}"}`).join('\n'))
    const request = { contentType: 'application/x-ndjson', contentEncoding: undefined, body }
    const log: Pick<Log, 'append'> = { append: () => assert.fail('a table without a log') }
    const parts = { engine: engine.engine, lake, log, catchUp: async () => {}, onCommitted: () => {} }
    assert.deepEqual(await deleteRows(parts, 't', relation, request, LIMITS), { accepted: 3 })
    const table = await lake.table('t')
    const { rows } = await session.rows(`SELECT count(*) FROM (${scanSql({ table, files: await lake.files(table), tails: [] })})`)
    assert.equal(Number(rows[0]![0]), 297)
  })
