// Names of identifiers: one text for one identifier and back, whatever the levels hold.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { identifierOf, levelsOf, nameOf, namespaceName, namespaceOf, namespacesUpTo, shortName } from './identifier.ts'

const level = fc.string({ minLength: 1, maxLength: 6, unit: fc.constantFrom('a', 'b', '.', '%', '2', 'E', '5', 'main', ' ', 'ü') })

test('identifiers and names belong to each other one to one', () => {
  const identifier = fc.record({ namespace: fc.array(level, { minLength: 1, maxLength: 3 }), name: level }, { noNullPrototype: true })
  fc.assert(
    fc.property(identifier, identifier, (a, b) => {
      assert.deepEqual(identifierOf(nameOf(a)), a)
      assert.equal(nameOf(a) === nameOf(b), JSON.stringify(a) === JSON.stringify(b))
      assert.deepEqual(levelsOf(namespaceName(a.namespace)), a.namespace)
      assert.equal(namespaceOf(nameOf(a)), namespaceName(a.namespace))
    }),
  )
})

test('what a project calls its relations stays as it is', () => {
  assert.equal(nameOf({ namespace: ['main'], name: 'orders' }), 'orders')
  assert.equal(nameOf({ namespace: ['marts'], name: 'daily' }), 'marts.daily')
  assert.deepEqual(['orders', 'main.orders', 'marts.main', 'main.a.b'].map(shortName), ['orders', 'orders', 'marts.main', 'main.a.b'])
  assert.deepEqual(identifierOf('clicks__late'), { namespace: ['main'], name: 'clicks__late' })
  assert.deepEqual(namespacesUpTo('a.b.c'), ['a', 'a.b', 'a.b.c'])
})
