// Package grpc knows how gRPC and gRPC-Web look on the wire: content types,
// grpc-timeout, grpc-status and grpc-message, the trailer frame and the text
// form of gRPC-Web. It reads no messages. The rules are gRPC's documents
// PROTOCOL-HTTP2, PROTOCOL-WEB and http-grpc-status-mapping.
package grpc
