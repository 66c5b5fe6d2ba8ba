// Locks and the cache: order without circles, one load for many readers, the least recently used forgotten.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ImmutableCache } from './immutable-cache.ts'
import { TableLocks } from './table-locks.ts'

const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await undefined
}

test('what shares a table runs one after the other, in order; what does not runs at once', async () => {
  const locks = new TableLocks()
  const events: string[] = []
  const run = (id: string, names: string[], wait: number) =>
    locks.run(names, async () => {
      events.push(`${id}+`)
      await turns(wait)
      events.push(`${id}-`)
    })
  await Promise.all([run('ab', ['a', 'b'], 10), run('ba', ['b', 'a'], 3), run('c', ['c'], 1), run('a', ['a'], 1)])
  assert.deepEqual(
    events.filter((event) => !event.startsWith('c')),
    ['ab+', 'ab-', 'ba+', 'ba-', 'a+', 'a-'],
  )
  assert.ok(events.indexOf('c-') < events.indexOf('ab-'))
})

test('one that throws lets the next run', async () => {
  const locks = new TableLocks()
  const failed = locks.run(['a'], async () => {
    throw new Error('no')
  })
  const next = locks.run(['a'], async () => 'done')
  await assert.rejects(failed, /no/)
  assert.equal(await next, 'done')
})

test('many readers of one path share one load; a failed load is tried again', async () => {
  const cache = new ImmutableCache<number>(10, () => 1)
  let loads = 0
  const load = async () => {
    loads++
    await turns(3)
    if (loads === 1) throw new Error('once')
    return loads
  }
  const first = await Promise.allSettled([cache.get('a', load), cache.get('a', load)])
  assert.deepEqual(
    first.map((one) => one.status),
    ['rejected', 'rejected'],
  )
  assert.deepEqual(await Promise.all([cache.get('a', load), cache.get('a', load)]), [2, 2])
  assert.equal(await cache.get('a', load), 2)
  assert.equal(loads, 2)
})

test('beyond its weight the cache forgets what was used longest ago, but never what it was just given', async () => {
  const cache = new ImmutableCache<string>(5, (value) => value.length)
  const isKnown = async (path: string): Promise<boolean> => {
    let known = true
    await cache.get(path, async () => {
      known = false
      return ''
    })
    return known
  }
  cache.put('a', 'xx')
  cache.put('b', 'xx')
  assert.ok(await isKnown('a'))
  cache.put('c', 'xx')
  assert.equal(await isKnown('b'), false)
  assert.ok(await isKnown('a'))
  cache.put('big', 'x'.repeat(100))
  assert.ok(await isKnown('big'))
  assert.equal(await isKnown('a'), false)
})
