// Which tables of other engines are left as they are.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LakeTable, LakeType } from '../../lake/types.ts'
import { mayRewrite } from './chore.ts'

const tableOf = (type: LakeType, formatVersion = 2): LakeTable =>
  ({ formatVersion, schema: { id: 0, fields: [{ id: 1, name: 'x', type, required: false }], identifierIds: [] } }) as unknown as LakeTable

test('files of types that DuckDB does not write as the specification says are not written anew, at any depth', () => {
  const mapOf = (value: LakeType): LakeType => ({ type: 'map', 'key-id': 2, key: 'string', 'value-id': 3, value, 'value-required': false })
  const may = ['uuid', 'binary', 'decimal(38, 38)', mapOf('time')].map((type) => mayRewrite(tableOf(type as LakeType)))
  assert.deepEqual(may, [true, true, true, true])
  const mayNot = ['fixed[5]', mapOf('fixed[5]'), 'timestamp_ns', mapOf('timestamptz_ns'), 'variant'].map((type) =>
    mayRewrite(tableOf(type as LakeType)),
  )
  assert.deepEqual([...mayNot, mayRewrite(tableOf('int', 1))], [false, false, false, false, false, false])
  const twins = {
    type: 'struct',
    fields: ['b', 'B'].map((name, index) => ({ id: 4 + index, name, type: 'int', required: false })),
  } as const
  assert.equal(mayRewrite(tableOf(twins)), false)
})
