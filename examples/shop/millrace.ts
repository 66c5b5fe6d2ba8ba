// The shop: the reference project. Streams and tables come in, models and a processor work on them, and checks, access
// rules, endpoints, alerts and a dashboard stand on top.
import { embedded, project } from 'millrace'
import * as access from './access.ts'
import * as models from './models.ts'
import * as operations from './operations.ts'
import * as processors from './processors.ts'
import * as quality from './quality.ts'
import * as serving from './serving.ts'
import * as streams from './streams.ts'
import * as tables from './tables.ts'

export default project('shop', [streams, tables, processors, models, quality, access, serving, operations], {
  environments: { dev: embedded() },
})
