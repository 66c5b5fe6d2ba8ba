// Loaded before every test. `npm test` is the same run each time, so that it fails by what was changed alone; `npm run test:all`
// tries new cases at each run and prints their seed. MILLRACE_SEED repeats one.
import fc from 'fast-check'

const given = process.env['MILLRACE_SEED']

export const SEED = given !== undefined ? Number(given) : process.env['MILLRACE_TEST_ALL'] ? Math.floor(Math.random() * 1e9) : 31

fc.configureGlobal({ seed: SEED })
if (process.env['MILLRACE_TEST_ALL']) console.log(`seed ${SEED}`)
