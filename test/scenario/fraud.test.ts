// The shop's fraud processor over generated payments whose fraud is labelled: what it finds and what it wrongly suspects, by
// rules alone and with the model that learned from them; and that a thread of its own gives exactly what the same thread does.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { detect, qualityOf, traffic } from '../../bench/fraud/detect.ts'

const OPTIONS = {
  untilMs: Date.UTC(2026, 10, 25, 16, 20),
  months: 6,
  whole: true,
  faults: { duplicates: 0.002, late: 0.002, bad: 0.001 },
  fraud: 0.012,
}

for (const seed of [1, 7]) {
  test(`rules find most cases, the model finds payments that they miss, and neither is perfect (seed ${seed})`, async (t) => {
    const { payments, labels } = traffic({ ...OPTIONS, seed })
    const found = await detect(payments, 'same thread')
    assert.equal(found.refused, 0)
    const rules = qualityOf(
      found.suspects.filter(({ reason }) => reason !== 'model'),
      labels,
    )
    const all = qualityOf(found.suspects, labels)
    t.diagnostic(`rules ${JSON.stringify(rules)}`)
    t.diagnostic(`all   ${JSON.stringify(all)}`)
    assert.ok(rules.caseRecall > 0.75 && rules.precision > 0.9, JSON.stringify(rules))
    assert.ok(all.hits > rules.hits * 1.05 && all.caseRecall >= rules.caseRecall, 'the model adds to what the rules find')
    assert.ok(all.recall > 0.7 && all.recall < 1 && all.precision > 0.8 && all.precision < 1, JSON.stringify(all))
    if (seed !== 1) return
    const isolated = await detect(payments, 'thread of its own')
    assert.deepEqual(isolated.suspects, found.suspects, 'the same rows, weights and scores')
  })
}
