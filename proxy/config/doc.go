// Package config is the document: what weir serves, as the operator writes it.
//
// [Load] reads a file in YAML or JSON and [Parse] reads bytes. Both return a
// [Document] in which every default is filled in, every name is known and every
// pattern, address and header is valid, or a [*Mistakes] with everything that is
// wrong, each with its line, its column and, where there is one, a suggestion.
//
// The tags of the types are the only description of the document: the decoder,
// the JSON Schema of [Schema] and the pages of [Reference] all read them.
//
// The package knows files and text only. What a document does is decided where
// it is compiled; [Document.MistakeAt] lets that code report at the right line.
package config
