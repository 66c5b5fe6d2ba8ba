// Column batches into DuckDB and out again: exact for every type, at the borders of chunks, for any text.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import type { ColumnBatch } from '../schema/batch.ts'
import { addSmallRows, SMALL_ROWS } from './batch-rows.ts'
import { appendBatch, createSql } from './batch-table.ts'
import type { Plain } from './cell.ts'
import { batchOf, openTestEngine, type TestEngine } from './testing.ts'

const text = (value: string): Uint8Array => Buffer.from(value)

let parts: TestEngine
before(async () => {
  parts = await openTestEngine()
})
after(() => parts[Symbol.asyncDispose]())

async function roundTrip(batch: ColumnBatch, casts: readonly string[] = []): Promise<readonly (readonly Plain[])[]> {
  await parts.session.run(createSql(batch.shape, 't'))
  await appendBatch(parts.session, 't', batch)
  const list = batch.shape.fields.map(({ name }, index) => casts[index] ?? name)
  const { rows } = await parts.session.rows(`SELECT ${list.join(', ')} FROM tail.t ORDER BY rowid`)
  if (batch.rows > 0 && batch.rows <= SMALL_ROWS) {
    const place = addSmallRows(parts.session.connection, batch.shape)()
    place.batch = batch
    assert.deepEqual((await parts.session.rows(`SELECT ${list.join(', ')} FROM ${place.sql}`)).rows, rows, 'as they are')
  }
  return rows
}

test('one row of every type, its extremes, and nulls', async () => {
  const batch = batchOf(
    {
      b: { kind: 'boolean' },
      i: { kind: 'int' },
      l: { kind: 'long' },
      f: { kind: 'float' },
      d: { kind: 'double' },
      m: { kind: 'decimal', precision: 12, scale: 2 },
      w: { kind: 'decimal', precision: 38, scale: 2 },
      y: { kind: 'date' },
      t: { kind: 'time' },
      s: { kind: 'timestamp' },
      c: { kind: 'string' },
      u: { kind: 'uuid' },
      x: { kind: 'binary' },
      j: { kind: 'json' },
      e: { kind: 'enum', values: ['a'] },
    },
    [
      [
        1,
        2147483647,
        2n ** 63n - 1n,
        0.5,
        1e300,
        999999999999n,
        text('123456789012345678901234567890123456.78'),
        20454,
        86_399_999_999n,
        1767323045000006n,
        text('é🙂 longer than twelve'),
        text('01234567-89ab-cdef-0123-456789abcdef'),
        Uint8Array.of(0, 255),
        text('{"a":1}'),
        text('a'),
      ],
      [
        0,
        -2147483648,
        -(2n ** 63n),
        -0.5,
        Number.NEGATIVE_INFINITY,
        -1n,
        text('-0.01'),
        -719162,
        0n,
        -1n,
        text(''),
        text('ffffffff-ffff-ffff-ffff-ffffffffffff'),
        new Uint8Array(0),
        text('null'),
        text('a'),
      ],
      Array.from({ length: 15 }, () => null),
    ],
  )
  assert.deepEqual(await roundTrip(batch), [
    [
      true,
      2147483647,
      2n ** 63n - 1n,
      0.5,
      1e300,
      '9999999999.99',
      '123456789012345678901234567890123456.78',
      '2026-01-01',
      '23:59:59.999999',
      '2026-01-02T03:04:05.000006Z',
      'é🙂 longer than twelve',
      '01234567-89ab-cdef-0123-456789abcdef',
      'AP8=',
      '{"a":1}',
      'a',
    ],
    [
      false,
      -2147483648,
      -(2n ** 63n),
      -0.5,
      Number.NEGATIVE_INFINITY,
      '-0.01',
      '-0.01',
      '0001-01-01',
      '00:00:00',
      '1969-12-31T23:59:59.999999Z',
      '',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
      '',
      'null',
      'a',
    ],
    Array.from({ length: 15 }, () => null),
  ])
})

test('texts of any length and content', async () => {
  const texts = fc.array(
    fc.option(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'grapheme', maxLength: 14 }),
        fc.constant('\0'.repeat(13)),
        fc.string({ minLength: 65, maxLength: 90 }),
      ),
    ),
    { minLength: 1 },
  )
  await fc.assert(
    fc.asyncProperty(texts, async (values) => {
      const wellFormed = values.map((value) => value?.toWellFormed() ?? null)
      const batch = batchOf(
        { c: { kind: 'string' }, x: { kind: 'binary' } },
        wellFormed.map((value) => [value === null ? null : text(value), value === null ? null : Buffer.from(value, 'utf16le')]),
      )
      assert.deepEqual(
        await roundTrip(batch),
        wellFormed.map((value) => [value, value === null ? null : Buffer.from(value, 'utf16le').toString('base64')]),
      )
    }),
    { numRuns: 40 },
  )
})

test('integers of 64 bits, through both forms', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.option(
          fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -(2n ** 53n) + 1n, max: 2n ** 53n - 1n })),
        ),
        { minLength: 1 },
      ),
      async (values) => {
        const batch = batchOf(
          { l: { kind: 'long' } },
          values.map((value) => [value]),
        )
        assert.deepEqual(
          await roundTrip(batch),
          values.map((value) => [value]),
        )
      },
    ),
    { numRuns: 40 },
  )
})

test('borders of chunks, and batches larger than a row group', async () => {
  for (const rows of [0, 1, 2047, 2048, 2049, 4096, 250_000]) {
    const batch = batchOf(
      { l: { kind: 'long' }, c: { kind: 'string' } },
      Array.from({ length: rows }, (_, row) => [
        BigInt(row),
        row % 5 === 0 ? null : text(`row ${row}${row % 2 ? ' with a long text' : ''}`),
      ]),
    )
    await roundTrip({ ...batch, rows: 0 })
    await appendBatch(parts.session, 't', batch)
    const { rows: found } = await parts.session.rows(
      "SELECT count(*), count(c), coalesce(sum(l), 0), count(*) FILTER (c = 'row ' || l || CASE WHEN l % 2 = 1 THEN ' with a long text' ELSE '' END) FROM tail.t",
    )
    const nulls = Math.ceil(rows / 5)
    assert.deepEqual(found, [
      [BigInt(rows), BigInt(rows - nulls), (BigInt(rows) * BigInt(Math.max(0, rows - 1))) / 2n, BigInt(rows - nulls)],
    ])
  }
})

test('a batch that does not fit its table leaves nothing behind', async () => {
  await parts.session.run('CREATE OR REPLACE TABLE tail.t (l BIGINT, PRIMARY KEY (l))')
  const batch = batchOf(
    { l: { kind: 'long' } },
    Array.from({ length: 300_000 }, (_, row) => [BigInt(row === 299_999 ? 5 : row)]),
  )
  await assert.rejects(appendBatch(parts.session, 't', batch))
  assert.deepEqual((await parts.session.rows('SELECT count(*) FROM tail.t')).rows, [[0n]])
  await parts.session.run('DROP TABLE tail.t')
})
