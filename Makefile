.PHONY: build demo demo-clean test bench install

build demo demo-clean test bench install:
	@./bootstrap.sh $@
