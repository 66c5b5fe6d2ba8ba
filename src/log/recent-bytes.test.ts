// The newest bytes of files: found by place, dropped by age.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DiskFile } from '../core/disk.ts'
import { RecentBytes } from './recent-bytes.ts'

const file = (path: string): DiskFile => ({ path }) as DiskFile

test('what was written last is read by its place in its file, up to the end of its group', () => {
  const [a, b] = [file('a'), file('b')]
  const recent = new RecentBytes(12)
  recent.note(a, 100, Buffer.from('abcde'))
  recent.note(b, 100, Buffer.from('ABC'))
  recent.note(a, 105, Buffer.from('fgh'))
  assert.equal(String(recent.read(a, 100, 64)), 'abcde')
  assert.equal(String(recent.read(a, 101, 2)), 'bc')
  assert.equal(String(recent.read(a, 105, 64)), 'fgh')
  assert.equal(String(recent.read(b, 102, 64)), 'C')
  assert.equal(recent.read(a, 99, 1), null)
  assert.equal(recent.read(a, 108, 1), null)
  assert.equal(recent.read(b, 105, 1), null)
  recent.note(b, 103, Buffer.from('DE'))
  assert.equal(recent.read(a, 100, 64), null, 'the oldest goes when there is no room')
  assert.equal(String(recent.read(a, 106, 64)), 'gh')
})

test('groups are few, however small, and one that is too large for all of it is not kept', () => {
  const log = file('log')
  const recent = new RecentBytes(1_000)
  for (let at = 0; at < 100; at++) recent.note(log, at, Buffer.from('x'))
  assert.equal(recent.read(log, 35, 1), null)
  assert.equal(String(recent.read(log, 36, 1)), 'x')
  recent.note(log, 100, Buffer.alloc(2_000))
  assert.equal(recent.read(log, 100, 1), null)
})
