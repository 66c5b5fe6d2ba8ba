// What is known of when offsets could be read.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Published } from './published.ts'

test('each offset has the time of its group; what is too long ago or not there has none', () => {
  const published = new Published()
  for (let group = 0; group < 300; group++) published.note(group * 10, group * 10 + 10, 1_000 + group)
  assert.deepEqual(
    [0, 439, 440, 449, 450, 2_999, 3_000].map((offset) => published.timeOf(offset)),
    [undefined, undefined, 1_044, 1_044, 1_045, 1_299, undefined],
  )
})
