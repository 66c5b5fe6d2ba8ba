// Messages as rows, keys of rows that go and refusals: where each of them goes in the log, in one order, and what is said of the last.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonKeys } from '../../connectors/kafka/decode-key.ts'
import { jsonDecoder } from '../../connectors/kafka/decoder.ts'
import type { TopicMessage } from '../../log/kafka/topic-reader.ts'
import { compileScanner } from '../../schema/scan/scanner.ts'
import type { Field } from '../../schema/type.ts'
import { appendsOf, countsOf } from './append-stretches.ts'
import { type MessageReader, readMessages } from './read-messages.ts'

const FIELDS: readonly Field[] = [
  { name: 'k', type: { kind: 'string' }, optional: false },
  { name: 'n', type: { kind: 'int' }, optional: false },
]
const scanner = compileScanner({ fields: FIELDS })
const STREAM: MessageReader = { door: { topic: 't', partitions: 1, keyIndex: 0, timeIndex: -1, scanner }, decoder: jsonDecoder }
const columns = FIELDS.slice(0, 1)
const TABLE: MessageReader = {
  ...STREAM,
  keys: { decoder: jsonKeys(columns), scanner: compileScanner({ fields: columns }, { unknown: 'ignore' }) },
}
const ORIGIN = { topic: 'stock', partition: 3, pipeline: 'p' }

const message = (offset: number, key: string | null, value: string | null): TopicMessage => ({
  offset,
  key: key === null ? null : Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
})

const MESSAGES = [
  message(5, null, '{"k":"a","n":1}'),
  message(6, 'a', null),
  message(9, '{"k":"a"}', '{"k":"a","n":2}'),
  message(10, '{"n":1}', null),
  message(12, null, null),
  message(13, 'b', '{"k":"b"}'),
  message(14, '"b"', null),
]

const appended = (reader: MessageReader, from: number, to: number) => {
  const stretches = [{ messages: readMessages(reader, ORIGIN, MESSAGES), from, to }]
  const parts = appendsOf(stretches, 'f').map(({ kind, payload, count, emission }) => ({
    kind,
    text: String(payload),
    count,
    numbers: [...(emission!.numbers as Float64Array)],
  }))
  return { parts, counts: countsOf(stretches) }
}

test('keys stand between rows, each with the number of its message', () => {
  const { parts, counts } = appended(TABLE, 0, MESSAGES.length)
  const [changes, rejects] = parts
  const lines = ['{"k":"a","n":1}', '-{"k":"a"}', '{"k":"a","n":2}', '-{"k":"b"}']
  assert.deepEqual(changes, { kind: 'changes', text: `${lines.join('\n')}\n`, count: 4, numbers: [5, 6, 9, 14] })
  assert.deepEqual([rejects!.kind, rejects!.numbers], ['rejects', [10, 12, 13]])
  assert.deepEqual(counts, { rows: 2, deleted: 2, rejected: 3 })
  assert.deepEqual(appended(TABLE, 2, 3).parts, [{ kind: 'rows', text: '{"k":"a","n":2}\n', count: 1, numbers: [9] }])
})

test('what deletes nothing says why, and keeps its key', () => {
  const refusals = (reader: MessageReader) =>
    [...readMessages(reader, ORIGIN, MESSAGES).refusals].map(
      ([place, { raw, code, message }]) => [place, String(raw), code, message] as const,
    )
  const [unreadable, keyless, row] = refusals(TABLE).toSorted(([a], [b]) => a - b)
  assert.deepEqual(unreadable!.slice(0, 3), [3, '{"n":1}', 'MR_ROW_MISSING'])
  assert.match(
    unreadable![3],
    /^the message has no value and deletes the row of its key, which cannot be read: .*k.*keyFormat.*\(topic stock, partition 3, offset 10\)$/,
  )
  assert.deepEqual(keyless!.slice(0, 3), [4, '', 'MR_ROW_MESSAGE'])
  assert.match(keyless![3], /neither a value nor a key: write tombstones with the key .* \(topic stock, partition 3, offset 12\)$/)
  assert.deepEqual(row!.slice(0, 3), [5, '{"k":"b"}', 'MR_ROW_MISSING'])
  const ofStream = refusals(STREAM).filter(([place]) => MESSAGES[place]!.value === null)
  assert.deepEqual(
    ofStream.map(([, raw, code]) => [raw, code]),
    [
      ['a', 'MR_ROW_MESSAGE'],
      ['{"n":1}', 'MR_ROW_MESSAGE'],
      ['', 'MR_ROW_MESSAGE'],
      ['"b"', 'MR_ROW_MESSAGE'],
    ],
  )
  for (const [, , , why] of ofStream) assert.match(why, /make this a table with a key/)
})
