// The kit's tests of tables and namespaces, with the capabilities switched on that the kit has no flag for: nested
// namespaces and names with slashes. Tables in the empty namespace stay off: Millrace has none.
package org.apache.iceberg.rest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.TableIdentifier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

public class MillraceCatalogTests extends RESTCompatibilityKitCatalogTests {
  @Override
  protected boolean supportsNestedNamespaces() {
    return true;
  }

  @Override
  protected boolean supportsNamesWithSlashes() {
    return true;
  }

  /** The kit removes only the namespaces of its other tests. */
  @AfterEach
  void removeNested() {
    for (Namespace namespace : List.of(Namespace.of("parent", "child1"), Namespace.of("parent", "child2"), Namespace.of("parent"))) {
      catalog().dropNamespace(namespace);
    }
  }

  /** Where this run may put tables: the kit's own place is the machine's directory for temporary files. */
  @Override
  protected String baseTableLocation(TableIdentifier identifier) {
    return System.getProperty("millrace.tables") + "/" + identifier.namespace() + "/" + identifier.name();
  }

  /** Disabled by the kit, whose own server has a flag for it; here every table has a place of its own. */
  @Override
  @Test
  public void createTableInUniqueLocation() {
    catalog().createNamespace(NS);
    catalog().createTable(TABLE, SCHEMA);
    catalog().renameTable(TABLE, RENAMED_TABLE);
    catalog().createTable(TABLE, SCHEMA);
    assertThat(catalog().loadTable(TABLE).location())
        .isNotEqualTo(catalog().loadTable(RENAMED_TABLE).location());
  }
}
