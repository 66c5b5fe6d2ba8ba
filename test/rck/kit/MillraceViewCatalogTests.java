// The kit's tests of views, as they are.
package org.apache.iceberg.rest;

public class MillraceViewCatalogTests extends RESTCompatibilityKitViewCatalogTests {}
