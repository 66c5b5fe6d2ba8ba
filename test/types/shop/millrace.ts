import { embedded, project } from 'millrace'
import * as access from './access.ts'
import * as models from './models.ts'
import * as operations from './operations.ts'
import * as quality from './quality.ts'
import * as serving from './serving.ts'
import * as streams from './streams.ts'
import * as tables from './tables.ts'

export default project('shop', [streams, tables, models, quality, access, serving, operations], { environments: { dev: embedded() } })
