// Checks after commits: at most once in a while for each relation, one at a time, none after the stop.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../core/clock.ts'
import { Rechecks } from './rechecks.ts'

const opened = () => {
  const clock = new VirtualClock(1_000_000)
  const ran: string[] = []
  const errors: unknown[] = []
  const rechecks = new Rechecks({
    clock,
    everyMs: 30_000,
    run: async (relation) => {
      ran.push(relation)
      if (relation === 'broken') throw new Error('no')
    },
    onError: (error) => errors.push(error),
  })
  return { clock, ran, errors, rechecks }
}

test('many commits are one run, and the next comes after the pause', async () => {
  const { clock, ran, rechecks } = opened()
  for (let i = 0; i < 5; i++) rechecks.committed('orders')
  await clock.advance(1)
  assert.deepEqual(ran, ['orders'])
  rechecks.committed('orders')
  rechecks.committed('clicks')
  await clock.advance(29_000)
  assert.deepEqual(ran, ['orders', 'clicks'])
  await clock.advance(1_000)
  assert.deepEqual(ran, ['orders', 'clicks', 'orders'])
})

test('one that fails is told, does not hold up the others, and is tried again after the pause', async () => {
  const { clock, ran, errors, rechecks } = opened()
  rechecks.committed('broken')
  rechecks.committed('orders')
  await clock.advance(1)
  assert.deepEqual([ran, errors.length], [['broken', 'orders'], 1])
  await clock.advance(30_000)
  assert.deepEqual([ran, errors.length], [['broken', 'orders', 'broken'], 2])
  await rechecks.stop()
  await clock.advance(60_000)
  assert.equal(errors.length, 2)
})

test('after the stop nothing runs, whatever is committed then', async () => {
  const { clock, ran, rechecks } = opened()
  rechecks.committed('orders')
  await rechecks.stop()
  rechecks.committed('clicks')
  await clock.advance(60_000)
  assert.deepEqual(ran, [])
})
