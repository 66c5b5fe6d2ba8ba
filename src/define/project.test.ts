// What belongs to a project, and that its values cannot be changed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { role } from './access.ts'
import { isDefinition } from './definition.ts'
import { t } from './field.ts'
import { model } from './model.ts'
import { embedded, isProject, project } from './project.ts'
import { sql } from './sql.ts'
import { table } from './table.ts'

const orders = table('orders', { id: t.string().doc('Number').pii('order') }, { key: 'id' })
const reader = role('reader')

test('modules, lists and definitions; each once, under its first name', () => {
  const shop = project('shop', [{ orders, helper: () => 1, text: 'x' }, [reader, orders], { again: orders }], {
    environments: { dev: embedded() },
  })
  assert.deepEqual(shop.$members, [{ definition: orders, exportName: 'orders' }, { definition: reader }])
  assert.ok(isProject(shop))
  assert.equal(isProject(orders), false)
})

test('a model before its SQL is bound has any column, but is no promise and no array', async () => {
  const later = model('later', sql`SELECT 1 AS x`)
  assert.ok(isDefinition(later))
  assert.equal(later.total.$column.name, 'total')
  assert.deepEqual(later.$as('l').total.$column, { relation: 'later', alias: 'l', name: 'total' })
  assert.equal(await later, later)
  assert.equal(Array.isArray(later), false)
  assert.equal(later['$nothing'], undefined)
})

test('values are frozen, and a changed field is a new one', () => {
  assert.throws(() => Object.assign(orders, { $name: 'x' }), TypeError)
  assert.throws(() => Object.assign(orders.id.$field, { pii: 'x' }), TypeError)
  assert.deepEqual(orders.id.optional().unit('m').$field, {
    type: { kind: 'string' },
    optional: true,
    doc: 'Number',
    pii: 'order',
    unit: 'm',
  })
  assert.equal(orders.id.$field.optional, false)
})
