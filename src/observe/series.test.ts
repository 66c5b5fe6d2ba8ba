// Points of ten seconds: added, kept at the largest or replaced, thinned when read, and nothing from more than a day ago.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeriesStore } from './series.ts'

const AT = 1_000_000_000_000

test('what is recorded is read, with nothing where nothing was', () => {
  const series = new SeriesStore()
  series.record('in', AT, 5, 'add')
  series.record('in', AT + 9_999, 2, 'add')
  series.record('in', AT + 30_000, 1, 'add')
  series.record('lag', AT, 5, 'max')
  series.record('lag', AT + 1, 3, 'max')
  series.record('level', AT, 5, 'set')
  series.record('level', AT + 1, 3, 'set')
  assert.deepEqual(series.read('in', AT + 30_000, 40_000, 100, 'sum'), { startMs: AT, stepMs: 10_000, values: [7, null, null, 1] })
  assert.deepEqual(series.read('in', AT + 30_000, 40_000, 2, 'sum').values, [7, 1])
  assert.deepEqual(series.read('lag', AT, 10_000, 1, 'max').values, [5])
  assert.deepEqual(series.read('level', AT, 10_000, 1, 'last').values, [3])
  assert.deepEqual(series.read('nothing', AT, 20_000, 9, 'last').values, [null, null])
})

test('a day is kept; what is older is neither read nor written over', () => {
  const series = new SeriesStore()
  const day = 86_400_000
  series.record('in', AT, 1, 'add')
  series.record('in', AT + day - 10_000, 2, 'add')
  assert.equal(series.read('in', AT + day - 10_000, day, 10_000, 'sum').values.at(0), 1)
  series.record('in', AT + day, 3, 'add')
  series.record('in', AT, 100, 'add')
  const { values } = series.read('in', AT + day, day, 10_000, 'sum')
  assert.deepEqual(
    values.filter((value) => value !== null),
    [2, 3],
  )
  series.record('in', AT + 3 * day, 4, 'add')
  assert.deepEqual(series.read('in', AT + 3 * day, day, 1, 'sum').values, [4])
})
